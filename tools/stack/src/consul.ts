import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { answers } from './probe.ts'
import { findProgram } from './program.ts'
import { type Server, startServer } from './server.ts'

/**
 * A Consul server of its own, a cluster of one. Not `-dev`, which starts faster but keeps nothing over a restart.
 * @param options.args more of `consul agent`'s options.
 */
export async function startConsul(options: { readonly args?: readonly string[] } = {}): Promise<Server> {
  const { args = [] } = options
  const program = await findProgram('consul', { binaries: ['consul'], folders: ['usr/bin'] })
  return startServer({
    name: 'consul',
    portCount: 3,
    readyMs: 60_000,
    ready: /cluster leadership acquired/,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `http://127.0.0.1:${ports[0]}`,
    async prepare({ data, ports }) {
      const [http, server, serfLan] = ports
      const settings = {
        server: true,
        bootstrap_expect: 1,
        data_dir: data,
        bind_addr: '127.0.0.1',
        client_addr: '127.0.0.1',
        node_name: 'headrace',
        disable_update_check: true,
        performance: { raft_multiplier: 1 },
        ports: { http, server, serf_lan: serfLan, serf_wan: -1, dns: -1, grpc: -1 },
      }
      await writeFile(join(data, 'settings.json'), JSON.stringify(settings))
    },
    command: ({ data }) => ({
      command: join(program.folder, 'consul'),
      args: ['agent', '-config-file', join(data, 'settings.json'), ...args],
      env: program.env,
    }),
    // Writes need the leader, and the log names it a moment before it takes them.
    probe: ({ ports }) => {
      const request = 'PUT /v1/kv/headrace/ready HTTP/1.0\r\nContent-Length: 0\r\n\r\n'
      return answers(ports[0]!, request, (reply) => reply.toString().includes('\r\n\r\ntrue'))
    },
  })
}
