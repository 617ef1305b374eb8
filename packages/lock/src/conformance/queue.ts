import assert from 'node:assert/strict'
import type { LockSupports } from '../driver.ts'
import { expiryRule, inTime, type LockRule, lockRule } from './subject.ts'

const queues = ({ queue }: LockSupports) => queue !== 'none'

export const queueRules: readonly LockRule[] = [
  lockRule(
    'a released key goes to who waits for it',
    async ({ a, b }) => {
      const first = await a.hold('k', '1')
      await b.queue('k', '1')
      assert.equal(await a.release('k', '1'), true)
      const held = await b.turn('k', '1')
      assert.ok(held.token >= first.token)
      assert.equal((await a.acquire('k', '2')).state, 'gone')
      assert.equal((await b.renew('k', '1')).state, 'held')
      assert.equal(await b.release('k', '1'), true)
    },
    queues,
  ),
  lockRule(
    'the key goes round in the order of arrival, across sessions',
    async ({ a, b }) => {
      await a.hold('k', '0')
      const line = [b, a, a, b, a, b]
      for (const [n, guest] of line.entries()) await guest.queue('k', `w${n}`)
      await a.release('k', '0')
      let last = 0n
      for (const [n, guest] of line.entries()) {
        const { token } = await guest.turn('k', `w${n}`)
        if (guest.session && token !== 0n) assert.ok(token > last, 'tokens grow along the line')
        last = token
        for (const [later, other] of line.entries())
          if (later > n) assert.equal(other.granted.has(other.id(`w${later}`)), false, `w${later} came before w${n}`)
        assert.equal(await guest.release('k', `w${n}`), true)
      }
    },
    queues,
  ),
  lockRule(
    'a newcomer does not pass those who wait',
    async ({ a, b }) => {
      await a.hold('k', '1')
      await b.queue('k', 'w')
      await a.release('k', '1')
      assert.equal((await a.acquire('k', '2')).state, 'gone')
      await b.turn('k', 'w')
    },
    queues,
  ),
  lockRule(
    'who withdraws is passed over',
    async ({ a, b }) => {
      await a.hold('k', '1')
      await a.queue('k', 'w1')
      await b.queue('k', 'w2')
      assert.equal(await a.release('k', 'w1'), false)
      await a.release('k', '1')
      await b.turn('k', 'w2')
      assert.equal((await a.renew('k', 'w1')).state, 'gone')
    },
    queues,
  ),
  lockRule(
    'who withdraws when it has been granted already hands the key on',
    async ({ a, b }) => {
      await a.hold('k', '1')
      await a.queue('k', 'w1')
      await b.queue('k', 'w2')
      await a.release('k', '1')
      await a.release('k', 'w1')
      await b.turn('k', 'w2')
    },
    queues,
  ),
  expiryRule(
    'who waits gets the key when the ttl of the holder has ended',
    async (the) => {
      const { a, b, longMs, elapse } = the
      await inTime(the, async (key, ttlMs, span) => {
        const held = span()
        await a.hold(key, `1${key}`, { ttlMs })
        await b.queue(key, `w${key}`, { ttlMs: longMs })
        held()
        await elapse(ttlMs * 1.3)
        // A busy server may be late with the end of a ttl.
        const turn = async () => (await b.renew(key, `w${key}`, longMs)).state === 'held'
        await b.eventually(turn, 'it was not its turn when the ttl had ended')
        assert.equal(await a.release(key, `1${key}`), false)
        assert.equal(await b.release(key, `w${key}`), true)
      })
    },
    queues,
  ),
  lockRule(
    'who has waited its time out is passed over',
    async ({ a, b, ttlMs, elapse }) => {
      await a.hold('k', '1')
      await a.queue('k', 'w1', { waitMs: ttlMs / 2 })
      await b.queue('k', 'w2')
      await elapse(ttlMs)
      await a.release('k', '1')
      await b.turn('k', 'w2')
    },
    queues,
  ),
  lockRule(
    'the same place asked for twice is one place',
    async ({ a, b }) => {
      await a.hold('k', '1')
      await b.queue('k', 'w')
      await b.queue('k', 'w')
      await a.release('k', '1')
      await b.turn('k', 'w')
      assert.equal(await b.release('k', 'w'), true)
      await a.hold('k', '2')
    },
    queues,
  ),
  lockRule(
    'a driver without a queue refuses instead of queueing',
    async ({ a, b }) => {
      await a.hold('k', '1')
      assert.equal((await b.acquire('k', 'w', { waitMs: 10_000 })).state, 'gone')
    },
    (supports) => !queues(supports),
  ),
  lockRule(
    'a grant that is told counts from no later than when it was made',
    async ({ a, b, clock }) => {
      await a.hold('k', '1')
      await b.queue('k', 'w')
      await a.release('k', '1')
      const { sinceMs } = await b.turn('k', 'w')
      assert.ok(sinceMs !== undefined && sinceMs <= clock.nowMs(), 'sinceMs says from when the ttl counts')
    },
    ({ queue }) => queue === 'pushed',
  ),
  lockRule(
    'inspect shows the queue in its order',
    async ({ a, b }) => {
      await a.hold('k', '1')
      await b.queue('k', 'w1', { label: 'first' })
      await a.queue('k', 'w2')
      const queue = (await a.session.inspect('k'))!.queue
      assert.deepEqual(
        queue.map(({ id, label }) => [id, label]),
        [
          [b.id('w1'), 'first'],
          [a.id('w2'), undefined],
        ],
      )
    },
    (supports) => queues(supports) && supports.inspect,
  ),
  lockRule(
    'force gives the key to the next in line',
    async ({ a, b }) => {
      await a.hold('k', '1')
      await b.queue('k', 'w')
      await a.session.evict('k', 'force')
      await a.eventually(() => a.lost.has(a.id('1')), 'the holder was not told')
      await b.turn('k', 'w')
    },
    (supports) => queues(supports) && supports.evict,
  ),
]
