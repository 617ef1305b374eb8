import { type ErrorCode, HeadraceError } from '@headrace/core'
import { manualClock, recordHistory } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { gate } from './gate.ts'

describe('recordHistory', () => {
  it('records what was asked, by whom, when, and what came of it', async () => {
    const clock = manualClock()
    await clock.advance(25)
    const history = recordHistory<string, number>(clock)
    expect(await history.record('a', 'buy', async () => 7)).toBe(7)
    expect(history.operations).toEqual([
      { process: 'a', input: 'buy', invokedAt: 0, answeredAt: 1, invokedMs: 25, outcome: { type: 'ok', output: 7 } },
    ])
  })

  it('orders the moments of operations that overlap', async () => {
    const history = recordHistory<string, string>(manualClock())
    const slow = gate<string>()
    const first = history.record(1, 'slow', () => slow.promise)
    await history.record(2, 'fast', async () => 'b')
    slow.resolve('a')
    await first
    await history.record(1, 'after', async () => 'c')
    expect(history.operations.map(({ input, invokedAt, answeredAt }) => [input, invokedAt, answeredAt])).toEqual([
      ['slow', 0, 3],
      ['fast', 1, 2],
      ['after', 4, 5],
    ])
  })

  it.each<[ErrorCode, 'fail' | 'unknown']>([
    ['BUSY', 'fail'],
    ['UNAVAILABLE', 'fail'],
    ['REJECTED', 'fail'],
    ['STALE', 'fail'],
    ['ABORTED', 'unknown'],
    ['TIMEOUT', 'unknown'],
    ['LOST', 'unknown'],
    ['CLOSED', 'unknown'],
    ['UNSUPPORTED', 'unknown'],
  ])('counts %s as %s', async (code, type) => {
    const history = recordHistory<string, string>(manualClock())
    const error = new HeadraceError(code, 'message')
    await expect(history.record(1, 'write', () => Promise.reject(error))).rejects.toBe(error)
    const [operation] = history.operations
    expect(operation!.outcome).toEqual({ type, error })
    expect(operation!.answeredAt).toBe(type === 'fail' ? 1 : Number.POSITIVE_INFINITY)
  })

  it('leaves the outcome of any other error unknown, also of one thrown before there was a promise', async () => {
    const history = recordHistory<string, string>(manualClock())
    const error = new Error('ECONNRESET')
    const work = () => {
      throw error
    }
    await expect(history.record(1, 'write', work)).rejects.toBe(error)
    expect(history.operations[0]).toMatchObject({
      answeredAt: Number.POSITIVE_INFINITY,
      outcome: { type: 'unknown', error },
    })
  })

  it('goes on counting the moments after a failure', async () => {
    const history = recordHistory<string, string>(manualClock())
    const refused = () => Promise.reject(new HeadraceError('BUSY', 'full'))
    await history.record(1, 'refused', refused).catch(() => {})
    await history.record(1, 'written', async () => 'ok')
    expect(history.operations.map(({ invokedAt, answeredAt }) => [invokedAt, answeredAt])).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  it('shows an operation that never ends as unknown', async () => {
    const history = recordHistory<string, string>(manualClock())
    void history.record(1, 'write', () => new Promise(() => {}))
    expect(history.operations[0]).toMatchObject({ answeredAt: Number.POSITIVE_INFINITY, outcome: { type: 'unknown' } })
  })
})
