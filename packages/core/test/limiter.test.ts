import { fc, test } from '@fast-check/vitest'
import { createLimiter } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { gate } from './gate.ts'
import { listenersOf } from './listeners.ts'

const { settle } = manualClock()

describe('createLimiter', () => {
  it('runs no more tasks at once than allowed, the others in order of arrival', async () => {
    const limiter = createLimiter({ concurrency: 2 })
    const gates = [1, 2, 3, 4].map(() => gate())
    const begun: number[] = []
    const all = gates.map((open, index) =>
      limiter.run(async () => {
        begun.push(index)
        await open.promise
        return index
      }),
    )
    await settle()
    expect([begun, limiter.running, limiter.waiting]).toEqual([[0, 1], 2, 2])
    gates[1]!.resolve()
    await settle()
    expect([begun, limiter.running, limiter.waiting]).toEqual([[0, 1, 2], 2, 1])
    for (const open of gates) open.resolve()
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3])
    expect([limiter.running, limiter.waiting]).toEqual([0, 0])
  })

  it('begins a task at once where there is room', () => {
    let begun = false
    void createLimiter({ concurrency: 1 }).run(() => {
      begun = true
    })
    expect(begun).toBe(true)
  })

  it('gives the place of a task that fails or throws to the next', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const outcomes = await Promise.allSettled([
      limiter.run(() => Promise.reject(new Error('failed'))),
      limiter.run(() => {
        throw new Error('threw')
      }),
      limiter.run(() => 'done'),
    ])
    expect(outcomes.map((it) => (it.status === 'fulfilled' ? it.value : it.reason.message))).toEqual([
      'failed',
      'threw',
      'done',
    ])
    expect([limiter.running, limiter.waiting]).toEqual([0, 0])
  })

  it('refuses with BUSY at once when the waiting room is full', async () => {
    const limiter = createLimiter({ concurrency: 1, waitingMax: 1 })
    const open = gate()
    const first = limiter.run(() => open.promise)
    const second = limiter.run(() => 'second')
    await expect(limiter.run(() => expect.fail('no room'))).rejects.toMatchObject({
      code: 'BUSY',
      message: '1 tasks are waiting already',
    })
    open.resolve()
    await first
    expect(await second).toBe('second')
    expect(await limiter.run(() => 'room again')).toBe('room again')
  })

  it('lets 1000 wait by default, and none where told so', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const open = gate()
    const all = Array.from({ length: 1_001 }, () => limiter.run(() => open.promise))
    expect(limiter.waiting).toBe(1_000)
    await expect(limiter.run(() => {})).rejects.toMatchObject({ code: 'BUSY' })
    open.resolve()
    await Promise.all(all)

    const strict = createLimiter({ concurrency: 1, waitingMax: 0 })
    const hanging = strict.run(() => settle())
    await expect(strict.run(() => {})).rejects.toMatchObject({ code: 'BUSY' })
    await hanging
  })

  it('an abort while waiting is immediate, frees the room and leaves no listener', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const open = gate()
    const stop = new AbortController()
    const first = limiter.run(() => open.promise)
    const second = limiter.run(() => expect.fail('aborted'), stop.signal).catch((error) => error)
    const third = limiter.run(() => 'third')
    expect([limiter.waiting, listenersOf(stop.signal)]).toEqual([2, 1])
    stop.abort('enough')
    expect([limiter.waiting, listenersOf(stop.signal)]).toEqual([1, 0])
    expect(await second).toMatchObject({
      code: 'ABORTED',
      cause: 'enough',
      message: 'the wait for a turn was aborted',
    })
    open.resolve()
    await first
    expect(await third).toBe('third')
  })

  it('does not begin a task whose signal fires in the turn in which its place came free', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const stop = new AbortController()
    const first = limiter.run(() => {
      // Two microtasks later the place has been handed on, and the next task has not begun.
      queueMicrotask(() => queueMicrotask(() => stop.abort()))
    })
    const second = limiter.run(() => expect.fail('aborted'), stop.signal)
    await first
    await expect(second).rejects.toMatchObject({ code: 'ABORTED', message: 'the wait for a turn was aborted' })
    expect([limiter.running, limiter.waiting]).toEqual([0, 0])
    expect(await limiter.run(() => 'room')).toBe('room')
  })

  it('takes no place with a signal that has already fired', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const stopped = limiter.run(() => expect.fail('aborted'), AbortSignal.abort())
    expect(limiter.running).toBe(0)
    await expect(stopped).rejects.toMatchObject({ code: 'ABORTED', message: 'the wait for a turn was aborted' })
  })

  it('does not stop a task that has begun', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const stop = new AbortController()
    const running = limiter.run(async () => {
      stop.abort()
      await settle()
      return 'finished'
    }, stop.signal)
    expect(await running).toBe('finished')
  })

  it('leaves no listener on a signal that outlives its tasks', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const { signal } = new AbortController()
    await Promise.all([1, 2, 3].map(() => limiter.run(() => settle(), signal)))
    expect(listenersOf(signal)).toBe(0)
  })

  it('does not let a newcomer slip in before one that waits', async () => {
    const limiter = createLimiter({ concurrency: 1 })
    const order: string[] = []
    const first = limiter.run(() => order.push('first'))
    const second = limiter.run(() => order.push('second'))
    const newcomer = first.then(() => limiter.run(() => order.push('newcomer')))
    await Promise.all([second, newcomer])
    expect(order).toEqual(['first', 'second', 'newcomer'])
  })

  it.each([
    [{ concurrency: 0 }, 'concurrency'],
    [{ concurrency: 1.5 }, 'concurrency'],
    [{ concurrency: 1, waitingMax: -1 }, 'waitingMax'],
    [{ concurrency: 1, waitingMax: Number.POSITIVE_INFINITY }, 'waitingMax'],
  ])('refuses %j and names the option', (options, name) => {
    expect(() => createLimiter(options)).toThrow(RangeError)
    expect(() => createLimiter(options)).toThrow(name)
  })

  test.prop(
    [
      fc.integer({ min: 1, max: 4 }),
      fc.array(
        fc.record({ turns: fc.nat({ max: 3 }), fails: fc.boolean(), abortAfter: fc.option(fc.nat({ max: 6 })) }),
        {
          maxLength: 16,
        },
      ),
    ],
    { numRuns: 60 },
  )('keeps its bounds and ends empty under any mix of failures and aborts', async (concurrency, tasks) => {
    const limiter = createLimiter({ concurrency, waitingMax: 5 })
    let running = 0
    let most = 0
    const jobs = tasks.map(async ({ turns, fails, abortAfter }) => {
      const stop = new AbortController()
      const aborting = (async () => {
        if (abortAfter === null) return
        for (let turn = 0; turn < abortAfter; turn++) await null
        stop.abort()
      })()
      const job = limiter.run(async () => {
        most = Math.max(most, ++running)
        for (let turn = 0; turn < turns; turn++) await null
        running--
        if (fails) throw new Error('failed')
      }, stop.signal)
      expect(limiter.waiting).toBeLessThanOrEqual(5)
      await job.catch(() => {})
      await aborting
    })
    await Promise.all(jobs)
    expect(most).toBeLessThanOrEqual(concurrency)
    expect([running, limiter.running, limiter.waiting]).toEqual([0, 0, 0])
  })
})
