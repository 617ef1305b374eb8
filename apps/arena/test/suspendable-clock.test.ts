import { manualClock } from '@headrace/core/testing'
import { describe, expect, test } from 'vitest'
import { suspendableClock } from '../src/suspendable-clock.ts'

describe('a clock that can be suspended', () => {
  test('stands still while it is, and goes on from there', async () => {
    const base = manualClock()
    const clock = suspendableClock(base)
    const wallMs = clock.wallMs()
    await base.advance(10)
    clock.suspend()
    await base.advance(500)
    expect(clock.nowMs()).toBe(10)
    clock.resume()
    await base.advance(5)
    expect(clock.nowMs()).toBe(15)
    expect(clock.wallMs()).toBe(wallMs + 15)
  })

  test('fires no timer meanwhile, and later gives each the time that it had left', async () => {
    const base = manualClock()
    const clock = suspendableClock(base)
    const fired: string[] = []
    clock.after(100, () => fired.push('before'))
    await base.advance(40)
    clock.suspend()
    clock.after(20, () => fired.push('during'))
    clock.after(20, () => fired.push('cancelled'))()
    await base.advance(1_000)
    expect(fired).toEqual([])
    clock.resume()
    await base.advance(59)
    expect(fired).toEqual(['during'])
    await base.advance(1)
    expect(fired).toEqual(['during', 'before'])
    expect(base.pending).toBe(0)
  })

  test('counts every suspension once, also when it is told twice', async () => {
    const base = manualClock()
    const clock = suspendableClock(base)
    for (let round = 0; round < 2; round++) {
      clock.suspend()
      await base.advance(50)
      clock.suspend()
      await base.advance(50)
      clock.resume()
      clock.resume()
    }
    await base.advance(1)
    expect(clock.nowMs()).toBe(1)
  })

  test('lets a sleeper go when its signal aborts, also while it is suspended', async () => {
    const base = manualClock()
    const clock = suspendableClock(base)
    const stop = new AbortController()
    const asleep = clock.sleep(100, stop.signal)
    clock.suspend()
    stop.abort()
    await expect(asleep).rejects.toMatchObject({ code: 'ABORTED' })
    expect(base.pending).toBe(0)
  })

  test('wakes a sleeper after its time', async () => {
    const base = manualClock()
    const clock = suspendableClock(base)
    let awake = false
    void clock.sleep(100).then(() => {
      awake = true
    })
    await base.advance(99)
    expect(awake).toBe(false)
    await base.advance(1)
    expect(awake).toBe(true)
  })
})
