import { manualClock } from '@headrace/core/testing'
import type { LockSession, Standing } from '@headrace/lock'
import { createLocks } from '@headrace/lock'
import { type NodeRedlock, redlockLocks } from '@headrace/lock/redlock'
import { expect, it } from 'vitest'

/** A Redlock of one node in memory; what is in `methods` replaces its own. */
function fakeRedlock(methods: Partial<NodeRedlock> = {}) {
  const held = new Map<string, string>()
  let values = 0
  const redlock: NodeRedlock = {
    async acquireLock(resource) {
      if (held.has(resource)) return null
      held.set(resource, `v${++values}`)
      return { value: `v${values}` }
    },
    async releaseLock(resource, value) {
      if (held.get(resource) === value) held.delete(resource)
    },
    renewLock: async (resource, value) => held.get(resource) === value,
    ...methods,
  }
  return { redlock, held }
}

const session = 'f'.repeat(32)
const request = { key: 'k', id: `${session}.1`, ttlMs: 1_000, waitMs: 0, tokens: 1 }

function open(redlock: NodeRedlock) {
  const clock = manualClock()
  const nothing = () => {}
  const events = { clock, session, granted: nothing, lost: nothing, asked: nothing, missed: nothing }
  return { clock, remote: redlockLocks(redlock).open(events) }
}

const first = async (answers: Promise<readonly Standing[]>) => (await answers)[0]!.state
const acquire = (remote: LockSession) => first(remote.acquire([request]))

it('what is not a Redlock is refused by the name of the method that it lacks', () => {
  const { acquireLock, releaseLock } = fakeRedlock().redlock
  expect(() => redlockLocks({ acquireLock, releaseLock } as unknown as NodeRedlock)).toThrow('no method renewLock')
  expect(() => redlockLocks(undefined as unknown as NodeRedlock)).toThrow(TypeError)
})

it('locks without tokens must be asked for', () => {
  expect(() => createLocks(redlockLocks(fakeRedlock().redlock))).toThrow('fencing')
})

it('a grant that was withdrawn before it came is given back when it comes', async () => {
  const answer = Promise.withResolvers<null>()
  const { redlock, held } = fakeRedlock()
  const { remote } = open({
    ...redlock,
    async acquireLock(resource, ttlMs) {
      await answer.promise
      return redlock.acquireLock(resource, ttlMs)
    },
  })
  const granted = acquire(remote)
  const released = remote.release([request])
  answer.resolve(null)
  expect(await granted).toBe('gone')
  await released
  expect(held.size).toBe(0)
})

it('a release that failed can be made again', async () => {
  const { redlock, held } = fakeRedlock()
  let failures = 1
  const { remote } = open({
    ...redlock,
    async releaseLock(resource, value) {
      if (failures-- > 0) throw new Error('no connection')
      return redlock.releaseLock(resource, value)
    },
  })
  await acquire(remote)
  await expect(remote.release([request])).rejects.toThrow('no connection')
  expect(await remote.release([request])).toEqual([true])
  expect(held.size).toBe(0)
})

it('a renewal that not every node confirmed is a failure until the ttl has ended, and a loss from then on', async () => {
  const { clock, remote } = open(fakeRedlock({ renewLock: async () => false }).redlock)
  await acquire(remote)
  await clock.advance(999)
  expect(await first(remote.renew([request]))).toBe('failed')
  await clock.advance(1)
  expect(await first(remote.renew([request]))).toBe('gone')
})

it('a grant that took longer than its ttl is not a lease, and is given back', async () => {
  const { redlock, held } = fakeRedlock()
  const clock = manualClock()
  const given: string[] = []
  let delayMs = 1_000
  const slow: NodeRedlock = {
    ...redlock,
    async acquireLock(resource, ttlMs) {
      const granted = await redlock.acquireLock(resource, ttlMs)
      await clock.sleep(delayMs)
      return granted
    },
    releaseLock(resource, value) {
      given.push(value)
      return redlock.releaseLock(resource, value)
    },
  }
  const locks = createLocks(redlockLocks(slow), { clock, fencing: 'none', ttlMs: 1_000 })
  const waiting = locks.acquire('k')
  await clock.advance(1)
  delayMs = 0
  await clock.advance(1_100)
  const lease = await waiting
  expect(given).toEqual(['v1'])
  expect([...held.values()]).toEqual(['v2'])
  expect(lease.held).toBe(true)
  expect(await lease.release()).toBe(true)
  expect(held.size).toBe(0)
})

it('a Redlock that confirms what nobody holds is found out, each time until it no longer does', async () => {
  let confirms = true
  const { redlock } = fakeRedlock()
  const { remote } = open({ ...redlock, renewLock: async () => confirms })
  await expect(acquire(remote)).rejects.toMatchObject({ code: 'REJECTED' })
  await expect(acquire(remote)).rejects.toMatchObject({ code: 'REJECTED' })
  confirms = false
  expect(await acquire(remote)).toBe('held')
})

it('fractions of a millisecond are rounded up, because Redis takes none', async () => {
  const ttls: number[] = []
  const { redlock } = fakeRedlock()
  const { remote } = open({
    ...redlock,
    acquireLock(resource, ttlMs) {
      ttls.push(ttlMs)
      return redlock.acquireLock(resource, ttlMs)
    },
  })
  await remote.acquire([{ ...request, ttlMs: 333.25 }])
  expect(ttls).toEqual([334])
})
