import { fc, test } from '@fast-check/vitest'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

describe('manualClock', () => {
  it('stands still until it is moved', async () => {
    const clock = manualClock()
    await clock.settle()
    expect([clock.nowMs(), clock.wallMs()]).toEqual([0, Date.UTC(2026, 0, 1)])
    await clock.advance(7.5)
    expect([clock.nowMs(), clock.wallMs()]).toEqual([7.5, Date.UTC(2026, 0, 1) + 7.5])
  })

  it('starts its time of day where told', () => {
    expect(manualClock(5).wallMs()).toBe(5)
  })

  it('runs what is due in order of time, at its time, also what is added on the way', async () => {
    const clock = manualClock()
    const ran: [string, number][] = []
    const note = (name: string) => ran.push([name, clock.nowMs()])
    clock.after(30, () => note('c'))
    clock.after(10, () => {
      note('a')
      clock.after(10, () => note('b'))
      clock.after(25, () => note('not yet'))
    })
    await clock.advance(30)
    expect(ran).toEqual([
      ['a', 10],
      ['b', 20],
      ['c', 30],
    ])
    expect(clock.pending).toBe(1)
  })

  it('runs what is due at the same time in order of asking', async () => {
    const clock = manualClock()
    const ran: number[] = []
    for (const name of [1, 2, 3]) clock.after(5, () => ran.push(name))
    clock.after(4, () => ran.push(0))
    await clock.advance(5)
    expect(ran).toEqual([0, 1, 2, 3])
  })

  it('takes a time in the past as now', async () => {
    const clock = manualClock()
    let ranAt = -1
    await clock.advance(10)
    clock.after(-5, () => {
      ranAt = clock.nowMs()
    })
    await clock.advance(0)
    expect(ranAt).toBe(10)
  })

  it('does not run what was cancelled, and cancelling twice harms nothing', async () => {
    const clock = manualClock()
    const cancel = clock.after(5, () => expect.fail('cancelled'))
    clock.after(5, () => {})
    cancel()
    cancel()
    expect(clock.pending).toBe(1)
    await clock.advance(5)
    expect(clock.pending).toBe(0)
  })

  it('lets promises and immediates settle between two moments', async () => {
    const clock = manualClock()
    const seen: number[] = []
    void (async () => {
      for (let round = 0; round < 3; round++) {
        await clock.sleep(10)
        await new Promise((resolve) => setImmediate(resolve))
        await null
        seen.push(clock.nowMs())
      }
    })()
    await clock.advance(30)
    expect(seen).toEqual([10, 20, 30])
  })

  it('shows a timer that throws to the test that moved the time, and goes on afterwards', async () => {
    const clock = manualClock()
    let ran = false
    clock.after(1, () => {
      throw new Error('in a timer')
    })
    clock.after(2, () => {
      ran = true
    })
    await expect(clock.advance(5)).rejects.toThrow('in a timer')
    expect(clock.nowMs()).toBe(1)
    await clock.advance(1)
    expect(ran).toBe(true)
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('cannot be moved by %d', async (ms) => {
    const clock = manualClock()
    await expect(clock.advance(ms)).rejects.toThrow('ms must be from 0')
    expect(clock.nowMs()).toBe(0)
  })

  it('never goes backwards when two advances overlap', async () => {
    const clock = manualClock()
    const seen: number[] = []
    for (const ms of [5, 10, 15]) clock.after(ms, () => seen.push(clock.nowMs()))
    await Promise.all([clock.advance(20), clock.advance(5)])
    expect(clock.nowMs()).toBe(20)
    expect(seen).toEqual([5, 10, 15])
  })

  it('refuses a timer whose time is not a number', () => {
    const clock = manualClock()
    expect(() => clock.after(Number.NaN, () => {})).toThrow(RangeError)
    expect(clock.pending).toBe(0)
  })

  test.prop([fc.array(fc.nat({ max: 50 }), { maxLength: 12 })], { numRuns: 25 })(
    'runs any timers in a stable order of their times',
    async (times) => {
      const clock = manualClock()
      const ran: [number, number][] = []
      for (const [index, ms] of times.entries()) clock.after(ms, () => ran.push([clock.nowMs(), index]))
      await clock.advance(50)
      const expected = times.map((ms, index): [number, number] => [ms, index])
      expect(ran).toEqual(expected.sort(([a, i], [b, j]) => a - b || i - j))
    },
  )
})
