import assert from 'node:assert/strict'
import type { LockSupports } from '../driver.ts'
import { expiryRule, inTime, type LockRule, lockRule } from './subject.ts'

const shares = ({ shared }: LockSupports) => shared
const queuesShares = ({ shared, queue }: LockSupports) => shared && queue !== 'none'
const reader = { share: { weight: 1, capacity: 2 ** 31 } }
const permits = (weight: number) => ({ share: { weight, capacity: 3 } })

export const shareRules: readonly LockRule[] = [
  lockRule(
    'readers share a key, and keep writers out',
    async ({ a, b }) => {
      const first = await a.hold('k', 'r1', reader)
      const second = await b.hold('k', 'r2', reader)
      if (first.token !== 0n) assert.ok(second.token > first.token, 'each reader has a token of its own')
      assert.equal((await b.acquire('k', 'w')).state, 'gone')
      assert.equal(await a.release('k', 'r1'), true)
      assert.equal((await b.acquire('k', 'w')).state, 'gone')
      assert.equal(await b.release('k', 'r2'), true)
      await b.hold('k', 'w')
      assert.equal((await a.acquire('k', 'r3', reader)).state, 'gone')
    },
    shares,
  ),
  expiryRule(
    'permits are granted up to the capacity, and each holder is renewed for itself',
    async (the) => {
      const { a, b, elapse } = the
      await inTime(the, async (key, ttlMs, span) => {
        const acquired = span()
        await a.hold(key, `p2${key}`, { ...permits(2), ttlMs })
        assert.equal((await b.acquire(key, `p2${key}`, permits(2))).state, 'gone')
        await b.hold(key, `p1${key}`, { ...permits(1), ttlMs })
        assert.equal((await b.acquire(key, `x${key}`, permits(1))).state, 'gone')
        await elapse(ttlMs * 0.6)
        const renewed = span()
        assert.equal((await a.renew(key, `p2${key}`, ttlMs)).state, 'held')
        acquired()
        await elapse(ttlMs * 0.6)
        await a.outlast(key, permits(1))
        assert.equal((await b.renew(key, `p1${key}`)).state, 'gone')
        assert.equal((await b.acquire(key, `y${key}`, permits(1))).state, 'gone')
        renewed()
      })
    },
    shares,
  ),
  lockRule(
    'readers do not pass a writer that waits, and come in together after it',
    async ({ a, b }) => {
      await a.hold('k', 'r1', reader)
      await b.queue('k', 'w')
      await a.queue('k', 'r2', reader)
      await b.queue('k', 'r3', reader)
      await a.release('k', 'r1')
      await b.turn('k', 'w')
      assert.equal(a.granted.has(a.id('r2')), false)
      await b.release('k', 'w')
      await a.turn('k', 'r2')
      await b.turn('k', 'r3')
    },
    queuesShares,
  ),
  lockRule(
    'who withdraws from the front lets those behind it in',
    async ({ a, b }) => {
      await a.hold('k', 'r1', reader)
      await b.queue('k', 'w')
      await a.queue('k', 'r2', reader)
      await b.release('k', 'w')
      await a.turn('k', 'r2')
    },
    queuesShares,
  ),
  lockRule(
    'who needs much is not passed by those who need little',
    async ({ a, b }) => {
      await a.hold('k', 'p2', permits(2))
      await b.queue('k', 'p3', permits(3))
      await a.queue('k', 'p1', permits(1))
      await a.release('k', 'p2')
      await b.turn('k', 'p3')
      await b.release('k', 'p3')
      await a.turn('k', 'p1')
    },
    queuesShares,
  ),
]
