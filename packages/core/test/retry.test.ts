import { HeadraceError, retry } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { gate } from './gate.ts'
import { listenersOf } from './listeners.ts'

const busy = (retryAfterMs?: number) => new HeadraceError('BUSY', 'full', { retryAfterMs })

/** Fails with each of the errors in turn, then gives 'done'. */
function failing(...errors: unknown[]) {
  const attempts: number[] = []
  const work = async (attempt: number) => {
    attempts.push(attempt)
    if (attempts.length <= errors.length) throw errors[attempts.length - 1]
    return 'done'
  }
  return { attempts, work }
}

describe('retry', () => {
  it('gives the first success and counts its attempts from 1', async () => {
    const clock = manualClock()
    const { attempts, work } = failing(busy(), new HeadraceError('UNAVAILABLE', 'gone'))
    const result = retry(work, { clock, backoff: () => 10 })
    await clock.advance(20)
    expect(await result).toBe('done')
    expect(attempts).toEqual([1, 2, 3])
    expect(clock.pending).toBe(0)
  })

  it('asks the backoff with the number of the attempt that failed', async () => {
    const clock = manualClock()
    const asked: number[] = []
    const backoff = (attempt: number) => asked.push(attempt)
    const result = retry(failing(busy(), busy(), busy()).work, { clock, backoff })
    await clock.advance(6)
    expect(await result).toBe('done')
    expect(asked).toEqual([1, 2, 3])
  })

  it('throws the last failure as it was after 5 attempts by default', async () => {
    const clock = manualClock()
    const errors = [1, 2, 3, 4, 5, 6].map(() => busy())
    const { attempts, work } = failing(...errors)
    const result = retry(work, { clock }).catch((error) => error)
    await clock.advance(60_000)
    expect(await result).toBe(errors[4])
    expect(attempts).toHaveLength(5)
  })

  it('makes exactly as many attempts as allowed', async () => {
    const { attempts, work } = failing(busy(), busy())
    await expect(retry(work, { attempts: 1 })).rejects.toMatchObject({ code: 'BUSY' })
    expect(attempts).toEqual([1])
  })

  it.each([new Error('a bug'), new HeadraceError('TIMEOUT', 'it may have happened'), undefined])(
    'does not repeat after %s',
    async (error) => {
      const { attempts, work } = failing(error)
      await expect(retry(work, { clock: manualClock() })).rejects.toBe(error)
      expect(attempts).toEqual([1])
    },
  )

  it('repeats what retryIf allows instead', async () => {
    const clock = manualClock()
    const { work } = failing(new Error('flaky'))
    const options = { clock, backoff: () => 0, retryIf: (error: unknown) => (error as Error).message === 'flaky' }
    const result = retry(work, options)
    await clock.advance(0)
    expect(await result).toBe('done')
    await expect(retry(failing(busy()).work, options)).rejects.toMatchObject({ code: 'BUSY' })
  })

  it.each([
    ['the hint of the error where it is longer', 70, 10, 70],
    ['the backoff where that is longer', 10, 70, 70],
    ['the backoff where there is no hint', undefined, 30, 30],
    ['the backoff where the hint is no number', Number.NaN, 30, 30],
  ])('pauses for %s', async (_, hintMs, backoffMs, pauseMs) => {
    const clock = manualClock()
    const { attempts, work } = failing(busy(hintMs))
    const result = retry(work, { clock, backoff: () => backoffMs })
    await clock.advance(pauseMs - 1)
    expect(attempts).toEqual([1])
    await clock.advance(1)
    expect(await result).toBe('done')
  })

  it.each([60_001, Number.POSITIVE_INFINITY])(
    'throws instead of pausing for %d ms because an error says so',
    async (ms) => {
      const clock = manualClock()
      const { attempts, work } = failing(busy(ms))
      await expect(retry(work, { clock })).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: ms })
      expect([attempts, clock.pending]).toEqual([[1], 0])
    },
  )

  it('pauses as long as retryAfterMaxMs allows an error to ask for', async () => {
    const clock = manualClock()
    const result = retry(failing(busy(500)).work, { clock, backoff: () => 0, retryAfterMaxMs: 500 })
    await clock.advance(500)
    expect(await result).toBe('done')
    await expect(retry(failing(busy(501)).work, { clock, retryAfterMaxMs: 500 })).rejects.toMatchObject({
      code: 'BUSY',
    })
  })

  it('an abort during the pause is immediate and leaves neither timer nor listener', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const result = retry(failing(busy()).work, { clock, signal: stop.signal, backoff: () => 1_000 }).catch(
      (error) => error,
    )
    await clock.advance(10)
    expect([clock.pending, listenersOf(stop.signal)]).toEqual([1, 1])
    stop.abort('enough')
    expect([clock.pending, listenersOf(stop.signal)]).toEqual([0, 0])
    expect(await result).toMatchObject({ code: 'ABORTED', cause: 'enough' })
  })

  it('an abort during the work waits for the work, so that what it acquired is not lost', async () => {
    const stop = new AbortController()
    const work = gate<string>()
    const result = retry(() => work.promise, { signal: stop.signal })
    stop.abort()
    work.resolve('lease')
    expect(await result).toBe('lease')
  })

  it('does not begin another attempt once the signal has fired during the work', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const attempts: number[] = []
    const work = async (attempt: number) => {
      attempts.push(attempt)
      stop.abort('enough')
      throw busy()
    }
    await expect(retry(work, { clock, signal: stop.signal })).rejects.toMatchObject({
      code: 'ABORTED',
      cause: 'enough',
    })
    expect([attempts, clock.pending]).toEqual([[1], 0])
  })

  it('does nothing when the signal has already fired', async () => {
    const { attempts, work } = failing()
    const result = retry(work, { signal: AbortSignal.abort() })
    await expect(result).rejects.toMatchObject({ code: 'ABORTED', message: 'the retry was aborted' })
    expect(attempts).toEqual([])
  })

  it('leaves no listener on a signal that outlives it', async () => {
    const clock = manualClock()
    const { signal } = new AbortController()
    const result = retry(failing(busy(), busy()).work, { clock, signal, backoff: () => 1 })
    await clock.advance(2)
    await result
    expect(listenersOf(signal)).toBe(0)
  })

  it('repeats work that throws before it gives a promise', async () => {
    const clock = manualClock()
    let calls = 0
    const work = () => {
      if (calls++ === 0) throw busy()
      return Promise.resolve('done')
    }
    const result = retry(work, { clock, backoff: () => 0 })
    await clock.advance(0)
    expect(await result).toBe('done')
  })

  it.each([0, 1.5, Number.POSITIVE_INFINITY, Number.NaN])('refuses %d attempts', async (attempts) => {
    await expect(retry(failing().work, { attempts })).rejects.toThrow('attempts must be')
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d as retryAfterMaxMs', async (retryAfterMaxMs) => {
    await expect(retry(failing().work, { retryAfterMaxMs })).rejects.toThrow('retryAfterMaxMs must be')
  })
})
