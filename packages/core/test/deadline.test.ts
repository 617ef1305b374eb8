import { within } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it, vi } from 'vitest'
import { gate } from './gate.ts'
import { listenersOf } from './listeners.ts'

const never = new Promise<never>(() => {})

describe('within', () => {
  it('gives what the work gives, and leaves neither timer nor listener', async () => {
    const clock = manualClock()
    const { signal } = new AbortController()
    const waiting = within(clock, 50, Promise.resolve('done'), { signal })
    expect([clock.pending, listenersOf(signal)]).toEqual([1, 1])
    expect(await waiting).toBe('done')
    expect([clock.pending, listenersOf(signal)]).toEqual([0, 0])
  })

  it('throws what the work throws, as it was, and leaves neither timer nor listener', async () => {
    const clock = manualClock()
    const { signal } = new AbortController()
    const failure = new Error('refused')
    await expect(within(clock, 50, Promise.reject(failure), { signal })).rejects.toBe(failure)
    expect([clock.pending, listenersOf(signal)]).toEqual([0, 0])
  })

  it('gives up on work that hangs with TIMEOUT, at its limit and not before', async () => {
    const clock = manualClock()
    const { signal } = new AbortController()
    let settledAt = -1
    const waiting = within(clock, 50, never, { signal, what: 'the commit' }).catch((error) => {
      settledAt = clock.nowMs()
      return error
    })
    await clock.advance(49)
    expect(settledAt).toBe(-1)
    await clock.advance(10)
    expect(settledAt).toBe(50)
    expect(await waiting).toMatchObject({ code: 'TIMEOUT', message: 'the commit gave no answer within 50 ms' })
    expect([clock.pending, listenersOf(signal)]).toEqual([0, 0])
  })

  it('stops waiting in the turn in which the signal aborts', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const waiting = within(clock, 50, never, { signal: stop.signal }).catch((error) => error)
    stop.abort('user left')
    expect([clock.pending, listenersOf(stop.signal)]).toEqual([0, 0])
    expect(await waiting).toMatchObject({
      code: 'ABORTED',
      cause: 'user left',
      message: 'the operation was aborted',
    })
  })

  it('does not wait with a signal that has already fired, and still hands over what the work delivers', async () => {
    const clock = manualClock()
    const late: string[] = []
    const signal = AbortSignal.abort()
    const waiting = within(clock, 50, Promise.resolve('lease'), { signal, onLate: (value) => late.push(value) })
    expect([clock.pending, listenersOf(signal)]).toEqual([0, 0])
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    expect(late).toEqual(['lease'])
  })

  it('hands what comes after the limit to onLate, once, so that it can be undone', async () => {
    const clock = manualClock()
    const late: string[] = []
    const work = gate<string>()
    const waiting = within(clock, 50, work.promise, { onLate: (value) => late.push(value) }).catch(
      (error) => error.code,
    )
    await clock.advance(50)
    expect(await waiting).toBe('TIMEOUT')
    expect(late).toEqual([])
    work.resolve('lease')
    await clock.settle()
    expect(late).toEqual(['lease'])
  })

  it('drops what comes late where there is no onLate, without a warning', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const clock = manualClock()
    await within(clock, 50, Promise.resolve('late'), { signal: AbortSignal.abort() }).catch(() => {})
    await clock.settle()
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })

  it('hands nothing to onLate when the work came in time', async () => {
    await within(manualClock(), 50, Promise.resolve(1), { onLate: () => expect.fail('it was in time') })
  })

  it('drops a late failure', async () => {
    const clock = manualClock()
    const work = gate<string>()
    const waiting = within(clock, 50, work.promise).catch((error) => error.code)
    await clock.advance(50)
    work.reject(new Error('too late to matter'))
    await clock.settle()
    expect(await waiting).toBe('TIMEOUT')
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('no route')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no route'))],
  ])('warns, and does not end the process, when onLate %s', async (_, onLate) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const clock = manualClock()
    await within(clock, 50, Promise.resolve('lease'), {
      signal: AbortSignal.abort(),
      what: 'the acquisition',
      onLate,
    }).catch(() => {})
    await clock.settle()
    expect(warn).toHaveBeenCalledExactlyOnceWith('the late result of the acquisition was not undone: no route', {
      code: 'HEADRACE_LATE',
    })
    warn.mockRestore()
  })

  it('prefers work that is done to a limit that has passed', async () => {
    expect(await within(manualClock(), -5, Promise.resolve('done'))).toBe('done')
  })

  it('refuses a limit that is not a number, whatever the work does then', async () => {
    const clock = manualClock()
    await expect(within(clock, Number.NaN, Promise.reject(new Error('unheard')))).rejects.toThrow(RangeError)
    await clock.settle()
  })

  it('takes a thenable that settles twice or throws as a promise would', async () => {
    const twice = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested.
      then(resolve: (value: string) => void) {
        resolve('first')
        resolve('second')
        throw new Error('after the fact')
      },
    } as unknown as PromiseLike<string>
    const onLate = () => expect.fail('it was in time')
    expect(await within(manualClock(), 50, twice, { onLate })).toBe('first')
  })
})
