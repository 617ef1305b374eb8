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

it('no lease is renewed for ever where holdMaxMs says so: it is lost, and the next in line gets the key', async () => {
  const { clock, locks, others, events } = setup()
  const lease = await locks.acquire('k', { ttlMs: 1_000, holdMaxMs: 2_500 })
  const waiting = ending(
    clock,
    others.acquire('k', { waitMs: 60_000 }).then(({ token }) => token > lease.token),
  )
  await clock.advance(2_400)
  expect(lease.held).toBe(true)
  expect(lease.remainingMs).toBe(100)
  await clock.advance(100)
  expect(lease.held).toBe(false)
  expect(lease.remainingMs).toBe(0)
  expect(lease.signal.reason).toMatchObject({ code: 'LOST', cause: 'overdue' })
  expect(events.at(-1)).toEqual({ type: 'lost', key: 'k', token: lease.token, cause: 'overdue' })
  expect(await waiting).toEqual({ value: true, atMs: 2_500 })
  expect(await lease.release()).toBe(false)
})

it('holdMaxMs counts for each lease anew, also where the key is handed on inside the process', async () => {
  const { clock, locks } = setup({ ttlMs: 3_000, holdMaxMs: 900 })
  const first = await locks.acquire('k')
  const second = locks.acquire('k')
  const third = locks.acquire('k', { holdMaxMs: 60_000 })
  await clock.advance(800)
  await first.release()
  const { signal } = await second
  await clock.advance(899)
  expect(signal.aborted).toBe(false)
  await clock.advance(1)
  expect(signal.reason).toMatchObject({ cause: 'overdue' })
  const last = await third
  await clock.advance(20_000)
  expect(last.held).toBe(true)
})

it('holdMaxMs ends a lease while its renewal hangs, and is seen on the line after a blocked event loop', async () => {
  const { clock, locks, others } = setup({ change: () => ({ renew: never }) })
  const lease = await locks.acquire('k', { ttlMs: 1_000, holdMaxMs: 600 })
  await clock.advance(600)
  expect(lease.signal.reason).toMatchObject({ cause: 'overdue' })
  expect(await others.tryAcquire('k')).not.toBeNull()
  const blocked = manualClock()
  let blockedMs = 0
  const late = { ...blocked, nowMs: () => blocked.nowMs() + blockedMs, wallMs: () => blocked.wallMs() + blockedMs }
  const own = await createLocks(memoryLocks({ clock: late }), { clock: late }).acquire('k', { holdMaxMs: 600 })
  blockedMs = 600
  expect(own.held).toBe(false)
  await expect(own.guard(() => 'written')).rejects.toMatchObject({ code: 'LOST', cause: 'overdue' })
})

it('the answer to a renewal that comes after the release starts no other', async () => {
  const answers: (() => void)[] = []
  const { clock, locks } = setup({
    change: (good) => ({
      async renew(requests) {
        await new Promise<void>((resolve) => answers.push(resolve))
        return await good.renew(requests)
      },
    }),
  })
  const lease = await locks.acquire('k', { ttlMs: 3_000 })
  await clock.advance(1_000)
  expect(answers).toHaveLength(1)
  expect(await lease.release()).toBe(true)
  answers[0]!()
  await clock.advance(30_000)
  expect(answers).toHaveLength(1)
  expect(clock.pending).toBe(0)
})

it('held is false on the line after an event loop that was really blocked for longer than the ttl', async () => {
  await using locks = createLocks(memoryLocks())
  const lease = await locks.acquire('k', { ttlMs: 60 })
  // No timer runs in between.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 80)
  expect(lease.held).toBe(false)
  await expect(lease.guard(() => 'written')).rejects.toMatchObject({ code: 'LOST' })
})
