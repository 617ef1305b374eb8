import { setTimeout as sleep } from 'node:timers/promises'
import { type Server, startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'

/** Independent servers of a test file, old enough to vote. */
export interface Quorum extends AsyncDisposable {
  readonly servers: readonly Server[]
  /** A client for each server; closed with the servers. */
  clients(): Redis[]
}

export async function startQuorum(ttlMaxMs: number, nodes = 3): Promise<Quorum> {
  const servers = await Promise.all(Array.from({ length: nodes }, () => startRedis()))
  const open: Redis[] = []
  // A new service votes when its nodes are as old as the longest ttl; servers count their age in whole seconds.
  await sleep(ttlMaxMs + 1_100)
  return {
    servers,
    clients() {
      const clients = servers.map(({ url }) => {
        // Tries again soon and for ever, as a service does.
        const client = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
        client.on('error', () => {})
        return client
      })
      open.push(...clients)
      return clients
    },
    async [Symbol.asyncDispose]() {
      for (const client of open) client.disconnect()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}
