import { manualClock } from '@headrace/core/testing'
import { createLocks, type LockDriver } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { expect, it } from 'vitest'
import { ending, never, setup } from './setup.ts'

it('serves the callers of one process in order, without the backend', async () => {
  let calls = 0
  const { clock, locks } = setup({
    change: (good) => ({
      acquire: (requests) => {
        calls += requests.length
        return good.acquire(requests)
      },
    }),
  })
  const order: number[] = []
  const tokens: bigint[] = []
  await Promise.all(
    Array.from({ length: 10 }, (_, n) =>
      locks.withLock('k', (lease) => {
        order.push(n)
        tokens.push(lease.token)
      }),
    ),
  )
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => (a < b ? -1 : 1)))
  expect(calls).toBe(1)
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('hands a grant on at most handoverMax times while another process waits', async () => {
  const { clock, locks, others } = setup({ handoverMax: 2 })
  const order: string[] = []
  const note = (name: string) => () => void order.push(name)
  const first = await locks.acquire('k')
  const work = [
    ...['a1', 'a2', 'a3', 'a4'].map((name) => locks.withLock('k', note(name))),
    others.withLock('k', note('b')),
  ]
  await clock.settle()
  await first.release()
  await Promise.all(work)
  expect(order).toEqual(['a1', 'a2', 'b', 'a3', 'a4'])
})

it('hands a grant on for at most a third of its ttl', async () => {
  const { clock, locks, others } = setup({ ttlMs: 3_000 })
  const order: string[] = []
  const first = await locks.acquire('k')
  const work = [locks.withLock('k', () => void order.push('a')), others.withLock('k', () => void order.push('b'))]
  await clock.advance(1_000)
  await first.release()
  await Promise.all(work)
  expect(order).toEqual(['b', 'a'])
})

it('with handoverMax 0 every caller has its own place in the queue of the backend', async () => {
  const { clock, locks, others } = setup({ handoverMax: 0 })
  const order: string[] = []
  const note = (name: string) => () => void order.push(name)
  const first = await locks.acquire('k')
  const work = [locks.withLock('k', note('a1'))]
  await clock.settle()
  work.push(others.withLock('k', note('b')))
  await clock.settle()
  work.push(locks.withLock('k', note('a2')))
  await clock.settle()
  await first.release()
  await Promise.all(work)
  expect(order).toEqual(['a1', 'b', 'a2'])
})

it('waits at most waitMs, and leaves the queue', async () => {
  const { clock, locks, others } = setup()
  const lease = await others.acquire('k')
  const waiting = ending(clock, locks.acquire('k', { waitMs: 120 }))
  await clock.advance(1_000)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 120 })
  expect((await others.inspect('k'))?.queue).toEqual([])
  await lease.release()
  expect(await others.inspect('k')).toBeNull()
})

it('an abort while queued is immediate, and leaves the queue', async () => {
  const { clock, locks, others } = setup()
  const lease = await others.acquire('k')
  const stop = new AbortController()
  const waiting = ending(clock, locks.acquire('k', { signal: stop.signal }))
  await clock.advance(10)
  stop.abort()
  await clock.settle()
  expect(await waiting).toEqual({ code: 'ABORTED', atMs: 10 })
  expect((await others.inspect('k'))?.queue).toEqual([])
  await lease.release()
})

it('one who gives up does not take the others with it', async () => {
  const { clock, locks, others } = setup()
  const lease = await others.acquire('k')
  const stop = new AbortController()
  const first = ending(clock, locks.acquire('k', { signal: stop.signal }))
  const second = locks.acquire('k')
  await clock.settle()
  stop.abort()
  await lease.release()
  expect(await first).toMatchObject({ code: 'ABORTED' })
  expect((await second).held).toBe(true)
})

it('an abort that races with the grant gives the grant back', async () => {
  const { clock, locks, others } = setup()
  const lease = await others.acquire('k')
  const stop = new AbortController()
  const waiting = ending(clock, locks.acquire('k', { signal: stop.signal }))
  await clock.settle()
  const released = lease.release()
  stop.abort()
  expect(await waiting).toMatchObject({ code: 'ABORTED' })
  await released
  await clock.settle()
  expect(await others.tryAcquire('k')).not.toBeNull()
})

it('an abort during a hung call is immediate', async () => {
  const { clock, locks } = setup({ change: () => ({ acquire: never }) })
  const stop = new AbortController()
  const waiting = ending(clock, locks.acquire('k', { signal: stop.signal }))
  await clock.advance(10)
  stop.abort()
  await clock.settle()
  expect(await waiting).toEqual({ code: 'ABORTED', atMs: 10 })
})

it('an already aborted signal never reaches the backend', async () => {
  let calls = 0
  const { clock, locks } = setup({
    change: () => ({
      acquire() {
        calls++
        return never()
      },
    }),
  })
  await expect(locks.acquire('k', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  await clock.settle()
  expect(calls).toBe(0)
  await clock.settle()
  expect(clock.pending).toBe(0)
})

it('the next in line gets the key when a holder died', async () => {
  const { clock, driver, locks } = setup()
  const dead = driver.open({
    clock,
    session: 'dead',
    granted() {},
    lost() {},
    asked() {},
    missed() {},
  })
  await dead.acquire([{ key: 'k', id: 'dead.1', ttlMs: 1_000, waitMs: 0, tokens: 1 }])
  const waiting = ending(
    clock,
    locks.acquire('k').then((lease) => lease.held),
  )
  await clock.advance(1_060)
  expect(await waiting).toMatchObject({ value: true })
})

it('waitingMax bounds the callers that wait', async () => {
  const { locks, others } = setup({ waitingMax: 1 })
  await others.acquire('k')
  const waiting = locks.acquire('k')
  await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'BUSY' })
  await locks.close()
  await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
})

it('a backend that cannot tell is asked again, and in order inside the process', async () => {
  const clock = manualClock()
  const memory = memoryLocks({ clock })
  const deaf = (queue: 'none' | 'polled'): LockDriver => ({
    ...memory,
    supports: { ...memory.supports, queue },
    open: (events) => memory.open({ ...events, granted() {}, missed() {} }),
  })
  for (const queue of ['none', 'polled'] as const) {
    const [a, b] = [createLocks(deaf(queue), { clock }), createLocks(deaf(queue), { clock })]
    const order: string[] = []
    const first = await a.acquire('k')
    const all = ['b1', 'b2', 'b3'].map((name) => b.withLock('k', () => void order.push(name)))
    await clock.advance(200)
    await first.release()
    await clock.advance(200)
    await Promise.all(all)
    expect(order).toEqual(['b1', 'b2', 'b3'])
  }
})

it('a grant in the very moment in which waitMs ends is had or given back, by which of the two came first', async () => {
  for (const grantIsFirst of [true, false]) {
    const { clock, locks, others } = setup()
    const lease = await others.acquire('k')
    const releaseInTime = () => clock.after(100, () => void lease.release())
    if (grantIsFirst) releaseInTime()
    const waiting = locks.acquire('k', { waitMs: 100 }).catch((error) => error.code)
    await clock.settle()
    if (!grantIsFirst) releaseInTime()
    await clock.advance(100)
    const outcome = await waiting
    if (grantIsFirst) expect(await outcome.release()).toBe(true)
    else expect(outcome).toBe('TIMEOUT')
    await clock.settle()
    expect(await others.tryAcquire('k')).not.toBeNull()
  }
})

it.each([-3_600_000, 3_600_000])(
  'a wall clock that jumps by %i ms while somebody waits changes nothing',
  async (ms) => {
    const clock = manualClock()
    let setMs = 0
    const own = { ...clock, wallMs: () => clock.wallMs() + setMs }
    const driver = memoryLocks({ clock })
    const [locks, others] = [createLocks(driver, { clock: own }), createLocks(driver, { clock })]
    const lease = await others.acquire('k')
    const [late, served] = [locks.acquire('k', { waitMs: 100 }), locks.acquire('k', { waitMs: 5_000 })]
    const refused = ending(clock, late)
    await clock.advance(50)
    setMs = ms
    await clock.advance(50)
    expect(await refused).toEqual({ code: 'TIMEOUT', atMs: 100 })
    await clock.advance(1_000)
    await lease.release()
    const next = await served
    expect(next.held).toBe(true)
    await clock.advance(60_000)
    expect(next.held).toBe(true)
  },
)
