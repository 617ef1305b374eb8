import { createLocks } from '@headrace/lock'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import { Redlock } from '@sesamecare-oss/redlock'
import { Redis } from 'ioredis'
import { createRedlock, IoredisAdapter } from 'redlock-universal'

/** A lock library on several independent servers, each over a connection of its own. */
export interface QuorumLibrary {
  /** Waits until it holds the key; the result gives it back. */
  acquire(key: string): Promise<() => Promise<unknown>>
  /** Commands sent so far, to all servers. */
  readonly commands: number
  close(): Promise<void>
}

export const ttlMs = 5_000

type Open = (clients: Redis[], prefix: string) => Promise<Pick<QuorumLibrary, 'acquire' | 'close'>>

const ours =
  (handoverMax: number): Open =>
  async (clients, prefix) => {
    const driver = redisQuorumLocks(clients, { prefix, ttlMaxMs: ttlMs })
    const locks = createLocks(driver, { ttlMs, handoverMax, waitMs: 60_000 })
    await locks.withLock('warm', () => {})
    return {
      async acquire(key) {
        const lease = await locks.acquire(key)
        return () => lease.release()
      },
      close: () => locks.close(),
    }
  }

export type QuorumLibraryName = 'ours' | 'ours, strict order' | 'redlock-universal' | '@sesamecare-oss/redlock'

const libraries: Record<QuorumLibraryName, Open> = {
  ours: ours(16),
  'ours, strict order': ours(0),
  'redlock-universal': async (clients, prefix) => {
    const adapters = clients.map((client) => new IoredisAdapter(client as never))
    return {
      async acquire(key) {
        const lock = createRedlock({ adapters, key: `${prefix}:${key}`, ttl: ttlMs, retryAttempts: 1_000_000 })
        const handle = await lock.acquire()
        return () => lock.release(handle)
      },
      close: async () => {},
    }
  },
  '@sesamecare-oss/redlock': async (clients, prefix) => {
    const redlock = new Redlock(clients as never, { retryCount: 1_000_000 })
    redlock.on('error', () => {})
    return {
      async acquire(key) {
        const lock = await redlock.acquire([`${prefix}:${key}`], ttlMs)
        return () => lock.release()
      },
      close: async () => {},
    }
  },
}

export async function openQuorumLibrary(
  name: QuorumLibraryName,
  urls: readonly string[],
  prefix: string,
): Promise<QuorumLibrary> {
  let commands = 0
  const clients = urls.map((url) => {
    const client = new Redis(url)
    client.on('error', () => {})
    const send = client.sendCommand.bind(client)
    client.sendCommand = (...args) => {
      commands++
      return send(...args)
    }
    return client
  })
  const library = await libraries[name](clients, prefix)
  commands = 0
  return {
    acquire: library.acquire,
    get commands() {
      return commands
    },
    async close() {
      await library.close()
      for (const client of clients) client.disconnect()
    },
  }
}
