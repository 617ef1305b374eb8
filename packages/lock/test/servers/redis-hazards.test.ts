import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks } from '@headrace/lock'
import { redisLocks } from '@headrace/lock/redis'
import { startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { queued, redisFixture, renewed, until } from './redis-fixture.ts'

const fixture = redisFixture()
const { connect, locksOn } = fixture

it('loses no update of 2 sessions and 16 callers, and tokens grow with every lease', async () => {
  const sessions = [locksOn(connect()), locksOn(connect(), { handoverMax: 0 })]
  const tokens: bigint[] = []
  let value = 0
  await Promise.all(
    Array.from({ length: 16 }, async (_, n) => {
      for (let turn = 0; turn < 10; turn++) {
        await using lease = await sessions[n % 2]!.acquire('counter', { waitMs: 20_000 })
        const read = value
        await sleep(0)
        value = read + 1
        tokens.push(lease.token)
      }
    }),
  )
  expect(value).toBe(160)
  for (const [at, token] of tokens.entries()) if (at > 0) expect(token).toBeGreaterThan(tokens[at - 1]!)
})

it('h4: tokens go on after FLUSHALL, and the holder finds out', async () => {
  const [a, b] = [locksOn(connect()), locksOn(connect())]
  const lease = await a.acquire('k', { ttlMs: 600 })
  await connect().flushall()
  const next = await b.acquire('k')
  expect(next.token).toBeGreaterThan(lease.token)
  await until(() => lease.signal.aborted)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'gone' })
  expect(await lease.release()).toBe(false)
  expect(next.held).toBe(true)
})

it('h4: tokens go on after a restart without persistence, for those who waited too', async () => {
  const [a, b] = [locksOn(connect()), locksOn(connect())]
  const lease = await a.acquire('k', { ttlMs: 800 })
  const waiting = b.acquire('k', { ttlMs: 800, waitMs: 20_000 })
  await sleep(50)
  await fixture.server.kill()
  await fixture.server.restart()
  const next = await waiting
  expect(next.token).toBeGreaterThan(lease.token)
  await until(() => !lease.held)
  expect(next.held).toBe(true)
})

it('h5: a failover to a replica that lags gives a newer token, not the same', async () => {
  const first = await locksOn(connect()).acquire('k')
  // A replica that has seen nothing of the key is any other server.
  await using replica = await startRedis({ appendOnly: false })
  const redis = new Redis(replica.url)
  const promoted = createLocks(redisLocks(redis, { prefix: fixture.prefix }))
  const second = await promoted.acquire('k')
  expect(second.token).toBeGreaterThan(first.token)
  await promoted.close()
  redis.disconnect()
})

it('h6: SCRIPT FLUSH under load reaches nobody, auto-pipelining or not', async () => {
  const control = connect()
  const all = [locksOn(connect()), locksOn(connect({ enableAutoPipelining: true }))]
  let running = true
  const flushing = (async () => {
    while (running) {
      await control.script('FLUSH')
      await sleep(1)
    }
  })()
  await Promise.all(
    all.map((locks, one) =>
      Promise.all(
        Array.from({ length: 16 }, async (_, n) => {
          for (let turn = 0; turn < 40; turn++) {
            const lease = await locks.acquire(`${one}:${n}`)
            expect(await lease.release()).toBe(true)
          }
        }),
      ),
    ),
  )
  running = false
  await flushing
})

it('h9: a command that timed out at the client leaves no orphan', async () => {
  const redis = connect({ commandTimeout: 80 })
  const locks = locksOn(redis)
  await locks.withLock('warm', () => {})
  fixture.server.pause()
  const failed = await locks.acquire('k', { ttlMs: 60_000 }).catch((error) => error)
  await sleep(170)
  fixture.server.resume()
  expect(failed).toMatchObject({ code: 'UNAVAILABLE' })
  expect((await locksOn(connect()).acquire('k', { waitMs: 30_000 })).held).toBe(true)
})

it('a server that hangs is TIMEOUT, and what it grants when it wakes is given back', async () => {
  const locks = locksOn(connect(), { callMs: 100 })
  await locks.withLock('warm', () => {})
  fixture.server.pause()
  const failed = await locks.acquire('k', { ttlMs: 60_000 }).catch((error) => error)
  fixture.server.resume()
  expect(failed).toMatchObject({ code: 'TIMEOUT' })
  expect((await locksOn(connect()).acquire('k', { waitMs: 30_000 })).held).toBe(true)
})

it('CLIENT KILL of every connection loses no lease and no waiter', async () => {
  const [a, b] = [locksOn(connect()), locksOn(connect())]
  const lease = await a.acquire('k', { ttlMs: 6_000 })
  const waiting = b.acquire('k', { waitMs: 20_000 })
  await until(async () => (await queued(a, 'k')) === 1)
  const control = connect()
  await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await control.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  // It is renewed over another connection.
  await renewed(a, 'k')
  expect(lease.held).toBe(true)
  expect(await lease.release()).toBe(true)
  expect((await waiting).held).toBe(true)
})

it('a subscriber that is dropped between its place in the queue and its grant gets both back', async () => {
  const control = connect()
  // Nobody comes back as fast as a key is released.
  const [a, b] = [locksOn(connect()), locksOn(connect({ retryStrategy: () => 300 }))]
  const lease = await a.acquire('k', { ttlMs: 60_000 })
  const waiting = b.acquire('k', { waitMs: 50_000 })
  await until(async () => (await queued(a, 'k')) === 1)
  await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await lease.release()
  expect((await waiting).held).toBe(true)
})

it('CLIENT PAUSE is a server that hangs: who holds for longer holds on, who asks is told in time, nothing is orphaned', async () => {
  const control = connect()
  const [a, b] = [locksOn(connect()), locksOn(connect(), { callMs: 100 })]
  const [long, short] = [await a.acquire('long', { ttlMs: 60_000 }), await a.acquire('short', { ttlMs: 400 })]
  await b.withLock('warm', () => {})
  await control.call('CLIENT', 'PAUSE', '900', 'ALL')
  await expect(b.acquire('k', { ttlMs: 60_000 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  await until(() => short.signal.aborted)
  expect(short.signal.reason).toMatchObject({ code: 'LOST', cause: 'expired' })
  expect(await long.release()).toBe(true)
  for (const key of ['k', 'short']) expect((await a.acquire(key, { waitMs: 30_000 })).held).toBe(true)
})

it('eviction (maxmemory, allkeys-lru) of a lock is LOST for its holder, and tokens go on', async () => {
  const redis = connect()
  const locks = locksOn(connect())
  const lease = await locks.acquire('k', { ttlMs: 900 })
  const used = Number(/used_memory:(\d+)/.exec(await redis.info('memory'))![1])
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await redis.config('SET', 'maxmemory', used + 500_000)
  for (let n = 0; (await redis.exists(fixture.nameOf('k'))) === 1; n++) await redis.set(`junk:${n}`, 'x'.repeat(10_000))
  await redis.config('SET', 'maxmemory', 0)
  await until(() => lease.signal.aborted)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'gone' })
  expect((await locks.acquire('k')).token).toBeGreaterThan(lease.token)
  await redis.flushall()
})

it('eviction of the last token, which all keys have in common, is no smaller token for any of them', async () => {
  const redis = connect()
  const locks = locksOn(connect(), { handoverMax: 10_000 })
  const lease = await locks.acquire('k')
  const waiting = locksOn(connect()).acquire('k')
  await until(async () => (await queued(locks, 'k')) === 1)
  expect(await redis.del(`${fixture.prefix}:mark`)).toBe(1)
  await lease.release()
  const next = await waiting
  expect(next.token).toBeGreaterThan(lease.token)
  await next.release()
  await redis.del(`${fixture.prefix}:mark`)
  expect((await locks.acquire('k')).token).toBeGreaterThan(next.token)
})

it.each(['', ':q', ':i'])(
  'eviction of a part of what is kept for a key, "%s", forgets nobody for good',
  async (part) => {
    const [a, b] = [locksOn(connect()), locksOn(connect(), { handoverMax: 0, ttlMs: 600, waitMs: 30_000 })]
    const lease = await a.acquire('k', { ttlMs: 600 })
    const waiting = Promise.all([1, 2, 3].map(() => b.withLock('k', ({ token }) => token)))
    await until(async () => (await queued(a, 'k')) === 3)
    expect(await connect().del(`${fixture.nameOf('k')}${part}`)).toBe(1)
    await lease.release()
    const tokens = await waiting
    expect(new Set(tokens).size).toBe(3)
    for (const token of tokens) expect(token).toBeGreaterThan(lease.token)
  },
)

it('eviction of what says who shares a key is LOST for those who do', async () => {
  const locks = locksOn(connect())
  const lease = await locks.acquire('k', { ttlMs: 600, mode: 'shared' })
  await connect().del(`${fixture.nameOf('k')}:s`)
  await until(() => lease.signal.aborted)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'gone' })
  expect((await locks.acquire('k')).token).toBeGreaterThan(lease.token)
})
