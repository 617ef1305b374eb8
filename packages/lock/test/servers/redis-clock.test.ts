import type { Ioredis } from '@headrace/lock/redis'
import type { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { queued, redisFixture, until } from './redis-fixture.ts'

const fixture = redisFixture()
const { connect, locksOn } = fixture

const hourMs = 3_600_000

/** A clock of the server that can be set: scripts read it in place of their own. */
function serverClock() {
  let setMs = 0
  const through = (redis: Redis): Ioredis => {
    const run = (text: string, keys: number, ...rest: (string | number)[]) => {
      const us = (Date.now() + setMs) * 1_000
      const time = `{'${Math.floor(us / 1e6)}','${us % 1e6}'}`
      const changed = text.replace(/(redis\.)?call\('TIME'\)/, time)
      if (changed === text && text.includes('TIME')) throw new Error('this script reads the time in another way')
      return redis.eval(changed, keys, ...rest)
    }
    return {
      evalsha: () => Promise.reject(new Error('NOSCRIPT this one is not known')),
      eval: run,
      duplicate: () => redis.duplicate(),
    }
  }
  return {
    through,
    step(ms: number) {
      setMs += ms
    },
  }
}

it('a clock of the server that is set back by an hour: tokens go on growing, and the key goes from hand to hand', async () => {
  const clock = serverClock()
  const [a, b] = [locksOn(clock.through(connect())), locksOn(clock.through(connect()), { waitMs: 30_000 })]
  const first = await a.acquire('k')
  const waiting = b.acquire('k')
  await until(async () => (await queued(a, 'k')) === 1)
  clock.step(-hourMs)
  expect(await first.release()).toBe(true)
  const second = await waiting
  expect(second.token).toBeGreaterThan(first.token)
  expect(await second.release()).toBe(true)
  for (let turn = 0, last = second.token; turn < 20; turn++) {
    const { token } = await a.withLock('k', (lease) => lease)
    expect(token).toBeGreaterThan(last)
    last = token
  }
})

it('a clock of the server that is set forward by an hour: who holds is fenced by the next one, and finds out', async () => {
  const clock = serverClock()
  const [a, b] = [locksOn(clock.through(connect()), { ttlMs: 1_200 }), locksOn(clock.through(connect()))]
  const lease = await a.acquire('k')
  const waiting = b.acquire('k', { waitMs: 30_000 })
  await until(async () => (await queued(a, 'k')) === 1)
  clock.step(hourMs)
  const next = await waiting
  expect(next.token).toBeGreaterThan(lease.token)
  await until(() => !lease.held)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST' })
  expect(await lease.release()).toBe(false)
  expect(next.held).toBe(true)
})

it('a clock of the server that is an hour away from those of its clients changes nothing', async () => {
  for (const ms of [-hourMs, 2 * hourMs]) {
    const clock = serverClock()
    clock.step(ms)
    const [a, b] = [locksOn(clock.through(connect())), locksOn(clock.through(connect()))]
    const key = `k${ms}`
    const lease = await a.acquire(key)
    const waiting = b.acquire(key, { ttlMs: 2_000, waitMs: 30_000 })
    await until(async () => (await queued(a, key)) === 1)
    expect(lease.remainingMs).toBeGreaterThan(0)
    expect(lease.remainingMs).toBeLessThanOrEqual(10_000)
    await lease.release()
    const next = await waiting
    expect(next.held).toBe(true)
    expect(next.remainingMs).toBeLessThanOrEqual(2_000)
  }
})
