import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks, type Locks, type LocksOptions } from '@headrace/lock'
import { type Ioredis, type RedisLocksOptions, redisLocks } from '@headrace/lock/redis'
import { type Server, startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { freshPrefix } from './redis-setup.ts'

interface ConnectOptions {
  commandTimeout?: number
  enableAutoPipelining?: boolean
  enableReadyCheck?: boolean
  maxRetriesPerRequest?: number | null
  port?: number
  retryStrategy?: (attempt: number) => number
  username?: string
  password?: string
}

export interface RedisFixture {
  readonly server: Server
  /** Another one for each test. */
  readonly prefix: string
  /** The name under which the lock of `key` is kept. */
  nameOf(key: string): string
  connect(options?: ConnectOptions): Redis
  /** The locks of another process, as far as Redis can tell. */
  locksOn(client: Ioredis, options?: LocksOptions & RedisLocksOptions): Locks
  /** Closed after the test: locks first, then what they use. */
  readonly open: { close(): unknown }[]
}

/** A server of their own for the tests of one file, which may do to it what they like. */
export function redisFixture(options: Parameters<typeof startRedis>[0] = { appendOnly: false }): RedisFixture {
  let server: Server
  let prefix = ''
  const open: { close(): unknown }[] = []
  beforeAll(async () => {
    server = await startRedis(options)
  })
  beforeEach(() => {
    prefix = freshPrefix()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()))
  })
  afterAll(() => server.stop())
  return {
    get server() {
      return server
    },
    get prefix() {
      return prefix
    },
    nameOf: (key) => `${prefix}:{${key}}`,
    open,
    connect({ port, ...own } = {}) {
      const redis = new Redis(port ? `redis://127.0.0.1:${port}` : server.url, own)
      redis.on('error', () => {})
      open.push({ close: () => redis.disconnect() })
      return redis
    },
    locksOn(client, own = {}) {
      const { claimMs, tokenKeepMs, ...rest } = own
      const kept = { ...(claimMs && { claimMs }), ...(tokenKeepMs && { tokenKeepMs }) }
      const locks = createLocks(redisLocks(client, { prefix, ...kept }), rest)
      open.unshift(locks)
      return locks
    },
  }
}

/** Waits for a condition, however busy the machine is. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('it never came')
    await sleep(5)
  }
}

/** How many wait for `key` at the backend. */
export const queued = async (locks: Locks, key: string): Promise<number> =>
  (await locks.inspect(key))?.queue.length ?? 0

/** Waits until whoever holds `key` has renewed it. */
export async function renewed(locks: Locks, key: string): Promise<void> {
  let lastMs = Number.POSITIVE_INFINITY
  await until(async () => {
    const state = await locks.inspect(key).catch(() => null)
    const leftMs = state?.holders[0]?.leftMs ?? Number.POSITIVE_INFINITY
    const rose = leftMs > lastMs && leftMs < Number.POSITIVE_INFINITY
    lastMs = leftMs
    return rose
  })
}
