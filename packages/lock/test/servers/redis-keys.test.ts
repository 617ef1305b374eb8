import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks } from '@headrace/lock'
import { redisLocks } from '@headrace/lock/redis'
import { expect, it } from 'vitest'
import { redisFixture, until } from './redis-fixture.ts'

const fixture = redisFixture()
const { connect, locksOn } = fixture

it('every key it writes expires, and none is left when it is idle', async () => {
  const redis = connect()
  const options = { tokenKeepMs: 50, claimMs: 50, ttlMs: 300 }
  const [a, b] = [locksOn(connect(), options), locksOn(connect(), options)]
  const keys = () => redis.keys(`${fixture.prefix}*`)
  await Promise.all([a, b].map((locks) => locks.withLock('warm', () => {})))
  const busy = Promise.all([
    a.withLock('k', () => sleep(100)),
    b.withLock('k', () => sleep(100)),
    a.withLock('r', () => sleep(100), { mode: 'shared' }),
    b.withLock('r', () => sleep(100)),
    a.semaphore('s', 2).withPermits(() => sleep(100)),
    b.semaphore('s', 2).withPermits(() => sleep(100), { permits: 2 }),
  ])
  await until(async () => (await keys()).length > 6)
  for (const key of await keys()) expect(await redis.pttl(key)).not.toBe(-1)
  await busy
  await until(async () => (await keys()).length === 0)
})

it('a free key leaves nothing but the last token of them all', async () => {
  const redis = connect()
  const locks = locksOn(connect())
  const leases = await locks.acquireAll(['a', 'b', 'c'])
  await leases.release()
  await locks.withLock('d', () => {}, { mode: 'shared' })
  expect(await redis.keys(`${fixture.prefix}*`)).toEqual([`${fixture.prefix}:mark`])
})

it('what says that a key is shared outlives those who share it', async () => {
  const redis = connect()
  const locks = locksOn(connect(), { tokenKeepMs: 1 })
  const lease = await locks.acquire('k', { mode: 'shared', ttlMs: 600_000 })
  const [own, shares] = await Promise.all([redis.pttl(`${fixture.prefix}:{k}`), redis.pttl(`${fixture.prefix}:{k}:s`)])
  expect(shares).toBeGreaterThan(500_000)
  expect(own).toBeGreaterThan(shares)
  expect(await locks.tryAcquire('k')).toBeNull()
  await lease.release()
})

it('callers of one turn are served in their order, whatever their terms are', async () => {
  const locks = locksOn(connect(), { handoverMax: 0 })
  const first = await locks.acquire('k')
  const order: number[] = []
  const all = Array.from({ length: 12 }, (_, n) =>
    locks.withLock('k', () => void order.push(n), { waitMs: n % 2 ? 20_000 : 30_000 }),
  )
  await until(async () => (await locks.inspect('k'))!.queue.length === 12)
  await first.release()
  await Promise.all(all)
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
})

it('close takes its places out of the queue before the client is closed', async () => {
  const [holder, redis] = [locksOn(connect()), connect()]
  const lease = await holder.acquire('k')
  const locks = createLocks(redisLocks(redis, { prefix: fixture.prefix }), { handoverMax: 0 })
  const waiting = Promise.allSettled([1, 2, 3].map(() => locks.acquire('k')))
  await until(async () => (await holder.inspect('k'))!.queue.length === 3)
  await locks.close()
  redis.disconnect()
  expect((await holder.inspect('k'))!.queue).toEqual([])
  for (const one of await waiting) expect(one).toMatchObject({ reason: { code: 'CLOSED' } })
  await lease.release()
})

it('all names made from a key lie in one slot of a cluster, whatever the key is', async () => {
  const redis = connect()
  const locks = locksOn(redis)
  for (const key of ['plain', '{tag}:x', 'a}b', '}', '{}', '{', 'x{y}z{w}']) {
    const holder = await locks.acquire(key, { mode: 'shared' })
    const waiting = locks.acquire(key)
    await until(async () => (await redis.keys(`${fixture.prefix}*`)).length >= 5)
    const names = (await redis.keys(`${fixture.prefix}*`)).filter((name) => name !== `${fixture.prefix}:mark`)
    expect(new Set(names.map(slotOf)).size, `${names}`).toBe(1)
    await holder.release()
    await (await waiting).release()
    await redis.del(...(await redis.keys(`${fixture.prefix}*`)))
  }
})

it('a prefix with braces is refused, and so is something that is no client', () => {
  expect(() => redisLocks(connect(), { prefix: 'a{b}' })).toThrow(/prefix/)
  expect(() => redisLocks({} as never)).toThrow(/client/)
  expect(() => redisLocks(connect(), { claimMs: 1 })).toThrow(/claimMs/)
  expect(() => redisLocks(connect(), { tokenKeepMs: 0 })).toThrow(/tokenKeepMs/)
})

/** CRC16 (XMODEM) of the hash tag, modulo 16384: the cluster specification. */
function slotOf(name: string): number {
  const from = name.indexOf('{')
  const to = name.indexOf('}', from + 1)
  const tag = from >= 0 && to > from + 1 ? name.slice(from + 1, to) : name
  let crc = 0
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  }
  return crc % 16_384
}
