import { join } from 'node:path'
import { answers } from './probe.ts'
import { findProgram } from './program.ts'
import { type Server, startServer } from './server.ts'

/**
 * A Redis of its own, without a password; call it three times for three independent ones.
 * @param options.appendOnly whether what was written survives `kill` and `restart`; true by default.
 * @param options.args more of redis-server's options, such as `['--maxmemory', '100mb']`.
 */
export async function startRedis(
  options: { readonly appendOnly?: boolean; readonly args?: readonly string[] } = {},
): Promise<Server> {
  const { appendOnly = true, args = [] } = options
  const program = await findProgram('redis', { binaries: ['redis-server'], folders: ['usr/bin'] })
  return startServer({
    name: 'redis',
    portCount: 1,
    readyMs: 30_000,
    ready: /Ready to accept connections/,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `redis://127.0.0.1:${ports[0]}`,
    command: ({ data, ports }) => ({
      command: join(program.folder, 'redis-server'),
      args: [
        ...['--port', String(ports[0]), '--bind', '127.0.0.1', '--dir', data],
        ...['--save', '', '--appendonly', appendOnly ? 'yes' : 'no'],
        // By default Redis answers up to two seconds before it writes, while its last fsync goes on, and a kill loses
        // that. Like this it writes before it answers: enough for a killed process, not for a power cut.
        ...['--appendfsync', 'no', ...args],
      ],
      env: program.env,
    }),
    probe: ({ ports }) => answers(ports[0]!, 'PING\r\n', (reply) => reply.toString().startsWith('+PONG')),
  })
}
