import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { answers } from './probe.ts'
import { findProgram } from './program.ts'
import { type Server, startServer } from './server.ts'

/** The name by which clients ask a sentinel for the primary. */
export const sentinelGroup = 'headrace'

/**
 * Watches over a primary of `startRedis` and its replicas. Sentinels find each other through the primary; three of them
 * can lose one.
 * @param options.downAfterMs how long the primary may be silent; 1 s by default.
 */
export async function startSentinel(
  primary: Pick<Server, 'url'>,
  options: { readonly quorum?: number; readonly downAfterMs?: number } = {},
): Promise<Server> {
  const { quorum = 2, downAfterMs = 1_000 } = options
  const program = await findProgram('redis', { binaries: ['redis-server'], folders: ['usr/bin'] })
  const { hostname, port } = new URL(primary.url)
  const settings = [
    'protected-mode no',
    `sentinel monitor ${sentinelGroup} ${hostname} ${port} ${quorum}`,
    `sentinel down-after-milliseconds ${sentinelGroup} ${downAfterMs}`,
    // Twice this is how long one waits before it tries a failover again that another one did not bring to its end.
    `sentinel failover-timeout ${sentinelGroup} 5000`,
  ]
  return startServer({
    name: 'sentinel',
    portCount: 1,
    readyMs: 30_000,
    ready: /Sentinel ID is/,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `redis://127.0.0.1:${ports[0]}`,
    // It writes to this file what it finds out.
    prepare: ({ data }) => writeFile(join(data, 'sentinel.conf'), `${settings.join('\n')}\n`),
    command: ({ data, ports }) => ({
      command: join(program.folder, 'redis-server'),
      args: [
        ...[join(data, 'sentinel.conf'), '--sentinel'],
        ...['--port', String(ports[0]), '--bind', '127.0.0.1', '--dir', data],
      ],
      env: program.env,
    }),
    probe: ({ ports }) => answers(ports[0]!, 'PING\r\n', (reply) => reply.toString().startsWith('+PONG')),
  })
}
