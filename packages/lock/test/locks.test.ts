import { HeadraceError } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createLocks, type LockDriver } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { expect, it } from 'vitest'
import { ending, setup } from './setup.ts'

it('await using gives the key back', async () => {
  const { locks } = setup()
  let first: bigint
  {
    await using lease = await locks.acquire('k')
    first = lease.token
    expect(lease.held).toBe(true)
    expect(await locks.tryAcquire('k')).toBeNull()
  }
  await using again = await locks.acquire('k')
  expect(again.token).toBeGreaterThan(first)
})

it('withLock gives the key back when the work throws, and passes the error on', async () => {
  const { clock, locks } = setup()
  await expect(locks.withLock('k', () => Promise.reject(new Error('work')))).rejects.toThrow('work')
  expect(await locks.withLock('k', (lease) => lease.held)).toBe(true)
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('release is idempotent, ends the renewal, and is not a loss', async () => {
  let calls = 0
  const { clock, locks } = setup({
    change: (good) => ({
      release(requests) {
        calls++
        return good.release(requests)
      },
    }),
  })
  const lease = await locks.acquire('k', { ttlMs: 1_000 })
  expect(await Promise.all([lease.release(), lease.release()])).toEqual([true, true])
  expect(lease.held).toBe(false)
  expect(calls).toBe(1)
  await clock.settle()
  expect(clock.pending).toBe(0)
  expect(lease.signal.aborted).toBe(false)
  await expect(lease.guard(() => 1)).rejects.toMatchObject({ code: 'LOST' })
})

it('close refuses new callers, fails those who wait, and ends the leases', async () => {
  const { clock, locks, others } = setup()
  const lease = await locks.acquire('k')
  const waiting = ending(clock, locks.acquire('k'))
  await locks.close()
  expect(await waiting).toMatchObject({ code: 'CLOSED' })
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'closed' })
  expect(lease.held).toBe(false)
  expect(await lease.release()).toBe(false)
  await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(locks.inspect('k')).rejects.toMatchObject({ code: 'CLOSED' })
  expect(await others.tryAcquire('k')).not.toBeNull()
  await others.close()
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it.each([
  ['key', (locks: ReturnType<typeof createLocks>) => locks.acquire('')],
  ['ttlMs', (locks: ReturnType<typeof createLocks>) => locks.acquire('k', { ttlMs: 0 })],
  ['waitMs', (locks: ReturnType<typeof createLocks>) => locks.acquire('k', { waitMs: 0 })],
  ['label', (locks: ReturnType<typeof createLocks>) => locks.acquire('k', { label: 'x'.repeat(257) })],
])('a bad %s is refused by name', async (name, call) => {
  const { clock, locks } = setup()
  await expect(call(locks)).rejects.toThrow(RangeError)
  await expect(call(locks)).rejects.toThrow(name)
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('a driver without fencing tokens has to be accepted in words', async () => {
  const clock = manualClock()
  const memory = memoryLocks({ clock })
  const weak: LockDriver = { ...memory, name: 'weak', supports: { ...memory.supports, fencing: false } }
  expect(() => createLocks(weak, { clock })).toThrow(HeadraceError)
  const locks = createLocks(weak, { clock, fencing: 'none' })
  const tokens = await Promise.all([1, 2, 3].map(() => locks.withLock('k', (lease) => lease.token)))
  expect(tokens).toEqual([0n, 0n, 0n])
})

it('what happens is told to the observer, in order, and an observer that throws breaks nothing', async () => {
  const { clock, locks, events } = setup()
  await Promise.all([locks.withLock('k', () => clock.sleep(10)), locks.withLock('k', () => {}), clock.advance(10)])
  expect(events).toMatchObject([
    { type: 'acquired', key: 'k', waitedMs: 0, local: false },
    { type: 'released', heldMs: 10, confirmed: true },
    { type: 'acquired', waitedMs: 10, local: true },
    { type: 'released', heldMs: 0, confirmed: true },
  ])
})
