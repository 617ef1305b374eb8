import { HeadraceError } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createLocks, type LockDriver } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { expect, it } from 'vitest'
import { ending, never, setup } from './setup.ts'

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

it('a hung backend cannot outlast waitMs, and its late grant is given back', async () => {
  let answer = () => {}
  const slow = new Promise<void>((resolve) => {
    answer = resolve
  })
  const { clock, locks, others } = setup({ change: (good) => ({ acquire: (r) => slow.then(() => good.acquire(r)) }) })
  const waiting = ending(clock, locks.acquire('k', { waitMs: 300 }))
  await clock.advance(300)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 300 })
  answer()
  await clock.settle()
  expect(await others.tryAcquire('k')).not.toBeNull()
})

it('a grant that comes after the limit of a call is given back', async () => {
  let answer = () => {}
  const slow = new Promise<void>((resolve) => {
    answer = resolve
  })
  const { clock, locks, others } = setup({ change: (good) => ({ acquire: (r) => slow.then(() => good.acquire(r)) }) })
  const waiting = ending(clock, locks.acquire('k', { waitMs: 60_000 }))
  await clock.advance(2_000)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 2_000 })
  answer()
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

it('a backend that cannot be reached is UNAVAILABLE at once, and what it may have granted is undone', async () => {
  let down = true
  const { clock, locks, others, events } = setup({
    change: (good) => ({
      // The grant is made and its answer is lost.
      acquire: async (requests) => {
        const answers = await good.acquire(requests)
        if (down) throw new Error('ECONNRESET')
        return answers
      },
      release: async (requests) => {
        if (down) throw new Error('ECONNRESET')
        return good.release(requests)
      },
    }),
  })
  const error = await locks.acquire('k').catch((error) => error)
  expect(error).toMatchObject({ code: 'UNAVAILABLE', cause: { message: 'ECONNRESET' } })
  expect(await others.tryAcquire('k')).toBeNull()
  down = false
  await clock.advance(1_000)
  expect(await others.tryAcquire('k')).not.toBeNull()
  expect(events).toContainEqual({ type: 'failed', key: 'k', operation: 'acquire', error })
})

it('h2: an answer that took longer than the ttl is not a lease', async () => {
  const { clock, locks } = setup({
    change: (good, clock) => ({
      acquire: async (requests) => {
        const answers = await good.acquire(requests)
        await clock.sleep(500)
        return answers
      },
    }),
  })
  const waiting = ending(clock, locks.acquire('k', { ttlMs: 300, waitMs: 900 }))
  await clock.advance(2_000)
  expect(await waiting).toEqual({ code: 'TIMEOUT', atMs: 900 })
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

it('h7: leaving the scope neither hangs nor throws when the backend does', async () => {
  for (const release of [never, () => Promise.reject(new Error('ECONNREFUSED'))]) {
    const { clock, locks } = setup({ change: () => ({ release }) })
    const work = ending(
      clock,
      (async () => {
        await using _lease = await locks.acquire('k', { ttlMs: 1_000 })
        return 'result'
      })(),
    )
    await clock.advance(2_000)
    expect(await work).toMatchObject({ value: 'result' })
    await clock.advance(20_000)
    await clock.settle()
    expect(clock.pending).toBe(0)
  }
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

it('waitingMax bounds the callers that wait', async () => {
  const { locks, others } = setup({ waitingMax: 1 })
  await others.acquire('k')
  const waiting = locks.acquire('k')
  await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'BUSY' })
  await locks.close()
  await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
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

it('the failure of one request of a batch is UNAVAILABLE with its cause, or what the driver says it is', async () => {
  const errors: Record<string, unknown> = {
    broken: new Error('ECONNRESET'),
    refused: new HeadraceError('REJECTED', 'wrong password'),
  }
  const failing = <Answer>(requests: readonly { readonly key: string }[], answers: readonly Answer[]) =>
    answers.map((one, at) => {
      const error = errors[requests[at]!.key]
      return error ? { state: 'failed' as const, error } : one
    })
  const { clock, locks, events } = setup({
    change: (good) => ({
      acquire: async (requests) => failing(requests, await good.acquire(requests)),
      renew: async (requests) => failing(requests, await good.renew(requests)),
    }),
  })
  const [broken, refused, good] = await Promise.allSettled(
    ['broken', 'refused', 'good'].map((key) => locks.acquire(key, { ttlMs: 2_400 })),
  )
  expect(broken).toMatchObject({ reason: { code: 'UNAVAILABLE', cause: errors['broken'] } })
  expect(refused).toMatchObject({ reason: errors['refused'] })
  expect(good).toMatchObject({ status: 'fulfilled' })
  errors['good'] = errors['broken']
  await clock.advance(850)
  expect(events.filter((event) => event.type === 'failed')).toMatchObject([
    { key: 'broken', operation: 'acquire', error: { code: 'UNAVAILABLE' } },
    { key: 'refused', operation: 'acquire', error: errors['refused'] },
    { key: 'good', operation: 'renew', error: { code: 'UNAVAILABLE', cause: errors['broken'] } },
  ])
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

it('a driver that gives fewer answers than it got requests fails them all', async () => {
  const { locks } = setup({ change: () => ({ acquire: async () => [] }) })
  await expect(locks.acquire('k')).rejects.toThrow(/1 requests got 0 answers/)
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
