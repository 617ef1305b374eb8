import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks, type Locks, type LocksOptions } from '@headrace/lock'
import { redisLocks } from '@headrace/lock/redis'
import { type Server, startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freshPrefix, startWorker } from './redis-setup.ts'

let server: Server
let prefix: string
let open: { close(): unknown }[] = []

beforeAll(async () => {
  server = await startRedis({ appendOnly: false })
})
afterAll(() => server.stop())
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()))
  open = []
})

function connect(): Redis {
  const redis = new Redis(server.url)
  open.push({ close: () => redis.disconnect() })
  return redis
}

function locksOn(redis: Redis, options: LocksOptions = {}): Locks {
  const locks = createLocks(redisLocks(redis, { prefix }), options)
  open.unshift(locks)
  return locks
}

function worker(options: Omit<Parameters<typeof startWorker>[0], 'url' | 'prefix'>) {
  const started = startWorker({ url: server.url, prefix, ...options })
  open.unshift({ close: () => started.stop() })
  return started
}

/** Commands that the server has run, scripts' own ones not counted. */
async function commands(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  let calls = 0
  for (const [, name, count] of stats.matchAll(/cmdstat_(\S+?):calls=(\d+)/g))
    if (['evalsha', 'eval', 'subscribe', 'ssubscribe', 'client|setinfo', 'hello'].includes(name!))
      calls += Number(count)
  return calls
}

const queued = async (locks: Locks, key: string) => (await locks.inspect(key))?.queue.length ?? 0

async function until(condition: () => boolean | Promise<boolean>) {
  const endMs = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error('it never came')
    await sleep(5)
  }
}

describe('redis', () => {
  it('10,000 who wait for one key cost no commands, and the next one is served at once', async () => {
    prefix = freshPrefix()
    const redis = connect()
    const [holder, crowd] = [locksOn(connect()), locksOn(connect(), { handoverMax: 0, waitingMax: 10_000 })]
    const lease = await holder.acquire('k', { ttlMs: 60_000 })
    let granted = 0
    let last = 0n
    for (let n = 0; n < 10_000; n++)
      crowd.acquire('k', { waitMs: 60_000 }).then(
        (own) => {
          granted++
          expect(own.token).toBeGreaterThan(last)
          last = own.token
          return granted < 1_000 ? own.release() : undefined
        },
        () => {},
      )
    await until(async () => (await redis.zcard(`${prefix}:{k}:q`)) === 10_000)
    const before = await commands(redis)
    await sleep(500)
    expect((await commands(redis)) - before).toBe(0)
    const startMs = performance.now()
    await lease.release()
    await until(() => granted > 0)
    // Somebody who asked now and then would come later, or would have been seen above.
    expect(performance.now() - startMs).toBeLessThan(5_000)
    await until(() => granted === 1_000)
  })

  it('in-process waiters of a cohort take one place, and cost no commands at all', async () => {
    prefix = freshPrefix()
    const redis = connect()
    const [holder, crowd] = [locksOn(connect()), locksOn(connect())]
    const lease = await holder.acquire('k')
    const all = Array.from({ length: 1_000 }, () => crowd.withLock('k', () => {}, { waitMs: 20_000 }))
    await until(async () => (await redis.zcard(`${prefix}:{k}:q`)) === 1)
    const before = await commands(redis)
    await lease.release()
    await Promise.all(all)
    expect((await commands(redis)) - before).toBeLessThan(1_000 * 0.2)
  })

  it.each([0, 16])(
    'thirty-two equal contenders in four processes get equal shares (Jain 0.99), with %i hand-overs',
    async (handoverMax) => {
      prefix = freshPrefix()
      const sessions = Array.from({ length: 4 }, () => locksOn(connect(), { handoverMax, waitMs: 60_000 }))
      const counts = Array.from({ length: 32 }, () => 0)
      const order: bigint[] = []
      const first = await sessions[0]!.acquire('k')
      const work = counts.map(async (_, n) => {
        while (order.length < 32 * 40)
          await sessions[n % 4]!.withLock('k', ({ token }) => {
            counts[n]!++
            order.push(token)
          })
      })
      await until(async () => (await queued(sessions[0]!, 'k')) >= (handoverMax === 0 ? 31 : 3))
      await first.release()
      await Promise.all(work)
      const sum = counts.reduce((total, one) => total + one, 0)
      const jain = sum ** 2 / (32 * counts.reduce((total, one) => total + one ** 2, 0))
      expect(jain).toBeGreaterThanOrEqual(0.99)
      for (const [at, token] of order.entries()) if (at > 0) expect(token).toBeGreaterThan(order[at - 1]!)
    },
  )

  it('who releases and wants the key again stands behind those who wait', async () => {
    prefix = freshPrefix()
    const [a, b] = [locksOn(connect()), locksOn(connect())]
    for (let turn = 0; turn < 20; turn++) {
      const order: string[] = []
      const lease = await a.acquire('k')
      const waiting = b.withLock('k', () => void order.push('b'))
      await until(async () => (await queued(a, 'k')) === 1)
      const released = lease.release()
      const again = a.withLock('k', () => void order.push('a'))
      await Promise.all([released, waiting, again])
      expect(order).toEqual(['b', 'a'])
    }
  })

  it('10,000 keys with a waiter each need one subscription', async () => {
    prefix = freshPrefix()
    const redis = connect()
    const [holder, crowd] = [locksOn(connect()), locksOn(connect())]
    const keys = Array.from({ length: 10_000 }, (_, n) => `k${n}`)
    const leases = await Promise.all(keys.map((key) => holder.acquire(key, { ttlMs: 30_000, waitMs: 20_000 })))
    const waiting = Promise.all(keys.map((key) => crowd.acquire(key, { waitMs: 30_000 })))
    await until(async () => (await redis.exists(`${prefix}:{k9999}:q`)) === 1)
    const channels = (await redis.pubsub('CHANNELS', `${prefix}*`)) as string[]
    expect(channels).toHaveLength(2)
    await Promise.all(leases.map((lease) => lease.release()))
    expect(await waiting).toHaveLength(10_000)
  })

  it('1,000 waiters that were killed do not delay the next one', async () => {
    prefix = freshPrefix()
    const [holder, next] = [locksOn(connect()), locksOn(connect())]
    const lease = await holder.acquire('k', { ttlMs: 60_000 })
    const crowd = worker({ key: 'k', waiters: 1_000, handoverMax: 0 })
    await until(async () => (await queued(holder, 'k')) === 1_000)
    const waiting = next.acquire('k', { waitMs: 30_000 })
    await until(async () => (await holder.inspect('k'))!.queue.length === 1_000)
    await sleep(50)
    await crowd.stop()
    await sleep(50)
    const startMs = performance.now()
    await lease.release()
    expect((await waiting).held).toBe(true)
    // Each of them could have claimed the key for a second.
    expect(performance.now() - startMs).toBeLessThan(20_000)
  })

  it('a process that is stopped when its turn comes loses it after claimMs', async () => {
    prefix = freshPrefix()
    const [holder, next] = [locksOn(connect()), locksOn(connect())]
    const lease = await holder.acquire('k', { ttlMs: 30_000 })
    const stopped = worker({ key: 'k', waiters: 1, ttlMs: 30_000 })
    await until(async () => (await queued(holder, 'k')) === 1)
    const waiting = next.acquire('k', { ttlMs: 30_000, waitMs: 30_000 })
    await until(async () => (await queued(holder, 'k')) === 2)
    stopped.kill('SIGSTOP')
    await lease.release()
    const startMs = performance.now()
    const own = await waiting
    expect(performance.now() - startMs).toBeLessThan(15_000)
    // What it finds when it wakes is a grant that is over.
    stopped.kill('SIGCONT')
    await sleep(300)
    expect(own.held).toBe(true)
  })

  it('a paused holder knows on its first line that it is none, and its write is refused', async () => {
    prefix = freshPrefix()
    const resource = { token: 0n, value: '' }
    const write = (token: bigint, value: string) => {
      if (token < resource.token) return false
      Object.assign(resource, { token, value })
      return true
    }
    const paused = worker({ key: 'k', waiters: 1, ttlMs: 400 })
    const stale = BigInt((await paused.event('held'))['token'] as string)
    paused.kill('SIGSTOP')
    const lease = await locksOn(connect()).acquire('k', { waitMs: 10_000 })
    // It seals the resource before it reads, so that a write that is on its way cannot come in between.
    expect(write(lease.token, resource.value)).toBe(true)
    paused.kill('SIGUSR2')
    paused.kill('SIGCONT')
    expect(await paused.event('asked')).toMatchObject({ held: false })
    expect(write(stale, 'late')).toBe(false)
    expect(write(lease.token, 'first')).toBe(true)
    expect(write(lease.token, 'second')).toBe(true)
    expect(resource.value).toBe('second')
  })

  it('a process that is killed leaves its keys for no longer than their ttl', async () => {
    prefix = freshPrefix()
    const killed = worker({ key: 'k', waiters: 1, ttlMs: 1_000 })
    const { token } = await killed.event('held')
    await killed.stop()
    const startMs = performance.now()
    const lease = await locksOn(connect()).acquire('k', { waitMs: 10_000 })
    expect(performance.now() - startMs).toBeLessThan(9_000)
    expect(lease.token).toBeGreaterThan(BigInt(token as string))
  })
})
