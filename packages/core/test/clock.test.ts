import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { listenersOf } from './listeners.ts'

afterEach(() => {
  vi.useRealTimers()
})

describe('sleep', () => {
  it('resolves when its time has come, and not before', async () => {
    const clock = manualClock()
    let woke = -1
    const sleeping = clock.sleep(100).then(() => {
      woke = clock.nowMs()
    })
    await clock.advance(99)
    expect(woke).toBe(-1)
    await clock.advance(1)
    await sleeping
    expect(woke).toBe(100)
  })

  it('rejects with ABORTED in the turn in which the signal aborts, and gives its timer back', async () => {
    const clock = manualClock()
    const stop = new AbortController()
    const sleeping = clock.sleep(100, stop.signal).catch((error) => error)
    expect(clock.pending).toBe(1)
    stop.abort('enough')
    expect(clock.pending).toBe(0)
    expect(await sleeping).toMatchObject({ code: 'ABORTED', cause: 'enough', message: 'the wait was aborted' })
  })

  it('takes no timer when the signal has already fired', async () => {
    const clock = manualClock()
    const sleeping = clock.sleep(100, AbortSignal.abort('enough')).catch((error) => error)
    expect(clock.pending).toBe(0)
    expect(await sleeping).toMatchObject({ code: 'ABORTED', cause: 'enough', message: 'the wait was aborted' })
  })

  it('leaves no listener on a signal that outlives it', async () => {
    const clock = manualClock()
    const { signal } = new AbortController()
    const sleeping = clock.sleep(5, signal)
    expect(listenersOf(signal)).toBe(1)
    await clock.advance(5)
    await sleeping
    expect(listenersOf(signal)).toBe(0)
  })

  it('rejects a time that is not a number, with the signal left alone', async () => {
    const { signal } = new AbortController()
    await expect(manualClock().sleep(Number.NaN, signal)).rejects.toThrow('ms must be from')
    expect(listenersOf(signal)).toBe(0)
  })
})

describe('systemClock', () => {
  it('runs once, never before its time', async () => {
    const early: number[] = []
    for (const ms of [0.2, 1.9, 3.5, 7.99]) {
      const startMs = systemClock.nowMs()
      await systemClock.sleep(ms)
      const tookMs = systemClock.nowMs() - startMs
      if (tookMs < ms) early.push(tookMs - ms)
    }
    expect(early).toEqual([])
  })

  it('does not run what was cancelled', async () => {
    let ran = 0
    const cancel = systemClock.after(2, () => ran++)
    systemClock.after(1, () => ran++)
    cancel()
    cancel()
    await pause(15)
    expect(ran).toBe(1)
  })

  it('takes a time in the past as now, without the warning of Node', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await systemClock.sleep(-1_000)
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })

  it('waits longer than a timer of Node can', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const ms = 3 * 2 ** 31
    let ran = 0
    systemClock.after(ms, () => ran++)
    vi.advanceTimersByTime(ms - 1)
    expect(ran).toBe(0)
    vi.advanceTimersByTime(1)
    expect(ran).toBe(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('cancels a wait longer than a timer of Node can also in its later stages', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const cancel = systemClock.after(3 * 2 ** 31, () => {})
    vi.advanceTimersByTime(2 ** 31)
    expect(vi.getTimerCount()).toBe(1)
    cancel()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('waits for ever where ms is Infinity, until cancelled', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const cancel = systemClock.after(Number.POSITIVE_INFINITY, () => expect.fail('infinity came'))
    vi.advanceTimersByTime(2 ** 33)
    cancel()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('refuses a time that is not a number', () => {
    expect(() => systemClock.after(Number.NaN, () => {})).toThrow(RangeError)
  })

  it('runs again what the event loop woke a little early', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const now = vi.spyOn(performance, 'now').mockReturnValue(0)
    let ran = 0
    systemClock.after(10, () => ran++)
    now.mockReturnValue(9.5)
    vi.advanceTimersByTime(10)
    expect(ran).toBe(0)
    now.mockReturnValue(10)
    vi.advanceTimersByTime(1)
    expect(ran).toBe(1)
    now.mockRestore()
  })

  it('tells the time of day and a monotonic time', () => {
    expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(1_000)
    const before = systemClock.nowMs()
    expect(systemClock.nowMs()).toBeGreaterThanOrEqual(before)
    expect(before).toBeLessThan(1e12)
  })
})
