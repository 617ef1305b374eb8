import { randomUUID } from 'node:crypto'
import { createLocks } from '@headrace/lock'
import { redisLocks } from '@headrace/lock/redis'
import { Redlock } from '@sesamecare-oss/redlock'
import { Redis } from 'ioredis'
import { Mutex } from 'redis-semaphore'
import { createLock, IoredisAdapter } from 'redlock-universal'

/** A lock library over one connection of its own. */
export interface Library {
  /** Waits until it holds the key; the result gives it back. */
  acquire(key: string): Promise<() => Promise<unknown>>
  /** Commands sent so far. */
  readonly commands: number
  close(): Promise<void>
}

const ttlMs = 5_000
const pollMs = 5

export type LibraryName =
  | 'ours'
  | 'ours, strict order'
  | 'SET NX PX'
  | 'redlock-universal'
  | '@sesamecare-oss/redlock'
  | 'redis-semaphore'

type Make = (redis: Redis, prefix: string) => Promise<Omit<Library, 'commands'>> | Omit<Library, 'commands'>

const ours =
  (handoverMax: number): Make =>
  async (redis, prefix) => {
    const locks = createLocks(redisLocks(redis, { prefix }), { ttlMs, handoverMax, waitMs: 60_000 })
    await locks.withLock('warm', () => {})
    return {
      acquire: async (key) => {
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
  /** What many write by hand: SET NX PX, a script that compares and deletes, and a poll. */
  'SET NX PX': async (redis, prefix) => {
    const compareAndDelete = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`
    const sha = String(await redis.script('LOAD', compareAndDelete))
    let n = 0
    return {
      async acquire(key) {
        const name = `${prefix}:${key}`
        const value = `${process.pid}-${n++}`
        while ((await redis.set(name, value, 'PX', ttlMs, 'NX')) !== 'OK') await sleep(pollMs)
        return () => redis.evalsha(sha, 1, name, value)
      },
      close: async () => {},
    }
  },
  'redlock-universal': (redis, prefix) => {
    const adapter = new IoredisAdapter(redis as never)
    return {
      async acquire(key) {
        const options = { ttl: ttlMs, retryAttempts: 1_000_000, performance: 'lean' } as const
        const lock = createLock({ adapter, key: `${prefix}:${key}`, ...options })
        const handle = await lock.acquire()
        return () => lock.release(handle)
      },
      close: async () => {},
    }
  },
  '@sesamecare-oss/redlock': (redis, prefix) => {
    const redlock = new Redlock([redis as never], { retryCount: 1_000_000 })
    redlock.on('error', () => {})
    return {
      async acquire(key) {
        const lock = await redlock.acquire([`${prefix}:${key}`], ttlMs)
        return () => lock.release()
      },
      close: async () => {},
    }
  },
  'redis-semaphore': (redis, prefix) => ({
    async acquire(key) {
      const mutex = new Mutex(redis as never, `${prefix}:${key}`, { lockTimeout: ttlMs, acquireTimeout: 60_000 })
      await mutex.acquire()
      return () => mutex.release()
    },
    close: async () => {},
  }),
}

export async function openLibrary(name: LibraryName, url: string, prefix: string = randomUUID()): Promise<Library> {
  const redis = new Redis(url)
  redis.on('error', () => {})
  let commands = 0
  const send = redis.sendCommand.bind(redis)
  redis.sendCommand = (...args) => {
    commands++
    return send(...args)
  }
  const library = await makers[name](redis, prefix)
  commands = 0
  return {
    acquire: library.acquire,
    get commands() {
      return commands
    },
    async close() {
      await library.close()
      redis.disconnect()
    },
  }
}
