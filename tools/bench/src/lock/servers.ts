import { startRedis } from '@headrace/stack'
import type { BenchContext } from '../bench.ts'
import { ttlMs } from './libraries.ts'

/** Where the servers of a lock are. */
export type ServersOf = (context: BenchContext) => Promise<readonly string[]>

export const oneServer: ServersOf = async (context) => [context.url('redis')]

let started: Promise<readonly string[]> | undefined

/** The same three for all contestants; they end with this process. */
export const threeServers: ServersOf = () => {
  const start = async () => {
    const servers = await Promise.all([1, 2, 3].map(() => startRedis({ appendOnly: false })))
    // Ours lets new nodes vote when they are as old as the longest ttl.
    await new Promise((resolve) => setTimeout(resolve, ttlMs + 1_100))
    return servers.map(({ url }) => url)
  }
  started ??= start()
  return started
}
