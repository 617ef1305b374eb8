import { randomUUID } from 'node:crypto'
import { createLocks } from '@headrace/lock'
import { redisLocks } from '@headrace/lock/redis'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import { Redlock } from '@sesamecare-oss/redlock'
import { Redis } from 'ioredis'
import { Mutex, RedlockMutex } from 'redis-semaphore'
import { createLock, createRedlock, IoredisAdapter } from 'redlock-universal'
import { nodeRedlock } from './node-redlock.ts'

/** A lock library on one server, or on several independent ones, over a connection of its own to each. */
export interface Library {
  /** Waits until it holds the key; the result gives it back. */
  acquire(key: string): Promise<() => Promise<unknown>>
  /** Commands sent so far, to all servers. */
  readonly commands: number
  /** Resolves when what was asked for by now has been answered for the first time. */
  asked(): Promise<void>
  close(): Promise<void>
}

export const ttlMs = 5_000
const waitMs = 60_000
const retries = 1_000_000
const pollMs = 5

export type LibraryName =
  | 'ours'
  | 'ours, strict order'
  | 'SET NX PX'
  | 'node-redlock'
  | 'redlock-universal'
  | '@sesamecare-oss/redlock'
  | 'redis-semaphore'

type Made = Pick<Library, 'acquire'> & Partial<Pick<Library, 'close'>>
type Make = (clients: Redis[], prefix: string) => Promise<Made> | Made

const ours =
  (handoverMax: number): Make =>
  async (clients, prefix) => {
    const driver =
      clients.length > 1 ? redisQuorumLocks(clients, { prefix, ttlMaxMs: ttlMs }) : redisLocks(clients[0]!, { prefix })
    const locks = createLocks(driver, { ttlMs, handoverMax, waitMs })
    await locks.withLock('warm', () => {})
    return {
      async acquire(key) {
        const lease = await locks.acquire(key)
        return () => lease.release()
      },
      close: () => locks.close(),
    }
  }

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

const makers: Record<LibraryName, Make> = {
  ours: ours(16),
  'ours, strict order': ours(0),
  /** What many write by hand, on one server: SET NX PX, a script that compares and deletes, and a poll. */
  async 'SET NX PX'([redis], prefix) {
    const compareAndDelete = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`
    const sha = String(await redis!.script('LOAD', compareAndDelete))
    let n = 0
    return {
      async acquire(key) {
        const name = `${prefix}:${key}`
        const value = `${process.pid}-${n++}`
        while ((await redis!.set(name, value, 'PX', ttlMs, 'NX')) !== 'OK') await sleep(pollMs)
        return () => redis!.evalsha(sha, 1, name, value)
      },
    }
  },
  async 'node-redlock'(clients, prefix) {
    const redlock = await nodeRedlock(clients, retries)
    return {
      async acquire(key) {
        // It gives up, too, where an answer took longer than the ttl.
        for (;;) {
          const lock = await redlock.acquireLock(`${prefix}:${key}`, ttlMs)
          if (lock) return () => redlock.releaseLock(lock.resource, lock.value)
        }
      },
    }
  },
  'redlock-universal'(clients, prefix) {
    const adapters = clients.map((client) => new IoredisAdapter(client as never))
    return {
      async acquire(key) {
        const options = { key: `${prefix}:${key}`, ttl: ttlMs, retryAttempts: retries }
        const lock =
          adapters.length > 1
            ? createRedlock({ adapters, ...options })
            : createLock({ adapter: adapters[0]!, performance: 'lean', ...options })
        const handle = await lock.acquire()
        return () => lock.release(handle)
      },
    }
  },
  '@sesamecare-oss/redlock'(clients, prefix) {
    const redlock = new Redlock(clients as never, { retryCount: retries })
    redlock.on('error', () => {})
    return {
      async acquire(key) {
        const lock = await redlock.acquire([`${prefix}:${key}`], ttlMs)
        return () => lock.release()
      },
    }
  },
  'redis-semaphore': (clients, prefix) => ({
    async acquire(key) {
      const options = { lockTimeout: ttlMs, acquireTimeout: waitMs }
      const name = `${prefix}:${key}`
      const mutex =
        clients.length > 1
          ? new RedlockMutex(clients as never, name, options)
          : new Mutex(clients[0] as never, name, options)
      await mutex.acquire()
      return () => mutex.release()
    },
  }),
}

export async function openLibrary(
  name: LibraryName,
  urls: readonly string[],
  prefix: string = randomUUID(),
): Promise<Library> {
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
  const library = await makers[name](clients, prefix)
  commands = 0
  return {
    acquire: library.acquire,
    get commands() {
      return commands
    },
    async asked() {
      await new Promise((resolve) => setImmediate(resolve))
      // Over the same connections, so behind everything else.
      await Promise.all(clients.map((client) => client.ping()))
    },
    async close() {
      await library.close?.()
      for (const client of clients) client.disconnect()
    },
  }
}
