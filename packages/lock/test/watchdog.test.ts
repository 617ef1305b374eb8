import { manualClock } from '@headrace/core/testing'
import { createLocks } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { expect, it } from 'vitest'
import { ending, never, setup } from './setup.ts'

it('is renewed for as long as it is held', async () => {
  const { clock, locks, others } = setup()
  const lease = await locks.acquire('k', { ttlMs: 1_000 })
  await clock.advance(60_000)
  expect(lease.held).toBe(true)
  expect(lease.signal.aborted).toBe(false)
  expect(await others.tryAcquire('k')).toBeNull()
  expect(await lease.release()).toBe(true)
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('trust ends a ttl after the request was sent, however late the answer came', async () => {
  let hung = false
  const { clock, locks } = setup({
    change: (good, clock) => ({
      acquire: async (requests) => {
        const answers = await good.acquire(requests)
        await clock.sleep(400)
        return answers
      },
      renew: (requests) => (hung ? never() : good.renew(requests)),
    }),
  })
  const waiting = locks.acquire('k', { ttlMs: 1_000 })
  hung = true
  await clock.advance(400)
  const lease = await waiting
  await clock.advance(598)
  expect(lease.held).toBe(true)
  await clock.advance(1)
  expect(lease.held).toBe(false)
  await clock.advance(1)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'expired' })
})

it('tells the holder when the backend forgot it', async () => {
  const { clock, locks, events } = setup({ change: () => ({ renew: async (r) => r.map(() => ({ state: 'gone' })) }) })
  const lease = await locks.acquire('k', { ttlMs: 900 })
  await clock.advance(300)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'gone' })
  expect(lease.held).toBe(false)
  expect(await lease.release()).toBe(false)
  expect(events.at(-1)).toEqual({ type: 'lost', key: 'k', token: lease.token, cause: 'gone' })
})

it('unreachable is not lost until the trust runs out', async () => {
  let down = false
  const { clock, locks } = setup({
    change: (good) => ({ renew: (r) => (down ? Promise.reject(new Error('ECONNREFUSED')) : good.renew(r)) }),
  })
  const lease = await locks.acquire('k', { ttlMs: 1_200 })
  down = true
  await clock.advance(1_100)
  expect(lease.signal.aborted).toBe(false)
  down = false
  await clock.advance(5_000)
  expect(lease.held).toBe(true)
  down = true
  await clock.advance(1_300)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'expired' })
})

it('h8: held is false on the line after a blocked event loop, without a timer', async () => {
  const clock = manualClock()
  let blockedMs = 0
  let suspendedMs = 0
  const late = {
    ...clock,
    nowMs: () => clock.nowMs() + blockedMs,
    wallMs: () => clock.wallMs() + blockedMs + suspendedMs,
  }
  const locks = createLocks(memoryLocks({ clock: late }), { clock: late })
  const lease = await locks.acquire('k', { ttlMs: 1_000 })
  blockedMs = 1_500
  expect(lease.held).toBe(false)
  expect(lease.remainingMs).toBe(0)
  await expect(lease.guard(() => 'written')).rejects.toMatchObject({ code: 'LOST' })
  blockedMs = 0
  expect(lease.held).toBe(true)
  // A suspended machine: the monotonic clock stood still, the wall clock did not.
  suspendedMs = 1_500
  expect(lease.held).toBe(false)
  suspendedMs = -3_600_000
  expect(lease.held).toBe(true)
})

it('guard refuses the result of work during which the lease was lost', async () => {
  const { clock, locks } = setup({ change: () => ({ renew: async (r) => r.map(() => ({ state: 'gone' })) }) })
  const lease = await locks.acquire('k', { ttlMs: 900 })
  const work = ending(
    clock,
    lease.guard((signal) => clock.sleep(400).then(() => signal.aborted)),
  )
  await clock.advance(400)
  expect(await work).toEqual({ code: 'LOST', atMs: 400 })
})

it('a renewal that fails for one key does not stop that of the others, nor is it repeated at once', async () => {
  let calls = 0
  const { clock, locks } = setup({
    change: (good) => ({
      async renew(requests) {
        calls++
        const answers = await good.renew(requests)
        const error = new Error('this one only')
        return answers.map((one, at) => (requests[at]!.key === 'bad' ? { state: 'failed', error } : one))
      },
    }),
  })
  const [good, bad] = await Promise.all(['good', 'bad'].map((key) => locks.acquire(key, { ttlMs: 2_400 })))
  await clock.advance(850)
  expect(calls).toBeLessThan(4)
  await clock.advance(6_000)
  expect(good?.held).toBe(true)
  expect(bad?.signal.reason).toMatchObject({ code: 'LOST', cause: 'expired' })
})

it('the leases of a process are renewed by one call', async () => {
  const batches: number[] = []
  const { clock, locks } = setup({
    change: (good) => ({
      renew(requests) {
        batches.push(requests.length)
        return good.renew(requests)
      },
    }),
  })
  for (let n = 0; n < 50; n++) {
    await locks.acquire(`k${n}`, { ttlMs: 2_400 })
    await clock.advance(1)
  }
  await clock.advance(1_000)
  expect(batches.reduce((sum, one) => sum + one, 0)).toBe(50)
  expect(batches.length).toBeLessThan(4)
})

it('a lease that was given back before its slow acquisition was answered is not renewed', async () => {
  let renewals = 0
  const { clock, locks } = setup({
    change: (good, clock) => ({
      async acquire(requests) {
        const answers = await good.acquire(requests)
        await clock.sleep(500)
        return answers
      },
      renew(requests) {
        renewals += requests.length
        return good.renew(requests)
      },
    }),
  })
  const waiting = ending(clock, locks.acquire('k', { ttlMs: 900, waitMs: 100 }))
  await clock.advance(100)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 100 })
  await clock.advance(10_000)
  expect(renewals).toBe(0)
  expect(clock.pending).toBe(0)
})
