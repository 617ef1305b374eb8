import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './port.ts'
import { answers } from './probe.ts'
import { findProgram, type Program } from './program.ts'
import { type Plan, type Server, startServer } from './server.ts'

/**
 * A Consul server of its own, a cluster of one. Not `-dev`, which starts faster but keeps nothing over a restart.
 * @param options.args more of `consul agent`'s options.
 */
export async function startConsul(options: { readonly args?: readonly string[] } = {}): Promise<Server> {
  return startServer(nodePlan({ program: await findConsul(), node: 'headrace', args: options.args ?? [] }))
}

/** Servers that elect a leader among them: a majority of them must live. */
export async function startConsulCluster(
  size = 3,
  options: { readonly args?: readonly string[] } = {},
): Promise<{ readonly nodes: readonly Server[] } & AsyncDisposable> {
  const program = await findConsul()
  const gossipPorts = await Promise.all(Array.from({ length: size }, freePort))
  const plans = gossipPorts.map((gossipPort, n) =>
    nodePlan({ program, node: `headrace-${n + 1}`, args: options.args ?? [], cluster: { gossipPorts, gossipPort } }),
  )
  const settled = await Promise.allSettled(plans.map(startServer))
  const nodes = settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  const failed = settled.find((it) => it.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  return { nodes, [Symbol.asyncDispose]: stop }
}

function findConsul(): Promise<Program> {
  return findProgram('consul', { binaries: ['consul'], folders: ['usr/bin'] })
}

function nodePlan(options: {
  readonly program: Program
  readonly node: string
  readonly args: readonly string[]
  readonly cluster?: { readonly gossipPorts: readonly number[]; readonly gossipPort: number }
}): Plan {
  const { program, node, args, cluster } = options
  return {
    name: 'consul',
    portCount: 3,
    readyMs: 60_000,
    ready: /cluster leadership acquired|New leader elected/,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `http://127.0.0.1:${ports[0]}`,
    async prepare({ data, ports }) {
      const [http, server, gossip] = ports
      const settings = {
        server: true,
        bootstrap_expect: cluster?.gossipPorts.length ?? 1,
        retry_join: cluster?.gossipPorts.map((port) => `127.0.0.1:${port}`) ?? [],
        retry_interval: '1s',
        data_dir: data,
        bind_addr: '127.0.0.1',
        client_addr: '127.0.0.1',
        node_name: node,
        disable_update_check: true,
        performance: { raft_multiplier: 1 },
        ports: { http, server, serf_lan: cluster?.gossipPort ?? gossip, serf_wan: -1, dns: -1, grpc: -1 },
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
  }
}
