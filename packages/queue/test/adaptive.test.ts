import { type Random, seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'
import { createAdaptive } from '../src/consuming/adaptive.ts'
import { setUp } from './set-up.ts'

/** Handlers that share something which serves `capacity` of them at a time; a unit of work takes 10 ms, give or take. */
function settle(adaptive: ReturnType<typeof createAdaptive>, capacity: number, random: Random, steps = 40_000) {
  for (let step = 0; step < steps; step++) {
    const running = adaptive.limit
    const meanMs = 10 * Math.max(1, running / capacity)
    adaptive.ended(meanMs * (0.5 + random.next()), running)
  }
  return adaptive.limit
}

describe('a concurrency that adapts', () => {
  it.each([2, 5, 40, 150])('finds what its handlers can share: %i at a time', (capacity) => {
    const limit = settle(createAdaptive(256), capacity, seededRandom(capacity))
    // Enough to keep it busy, and not much more than that.
    expect(limit).toBeGreaterThanOrEqual(capacity * 0.8)
    expect(limit).toBeLessThanOrEqual(capacity * 1.8 + 1)
  })

  it('follows when that changes, in both directions', () => {
    const random = seededRandom(7)
    const adaptive = createAdaptive(256)
    expect(settle(adaptive, 100, random)).toBeGreaterThan(80)
    expect(settle(adaptive, 10, random)).toBeLessThan(25)
    expect(settle(adaptive, 100, random)).toBeGreaterThan(80)
  })

  it('does not grow while it is not used, nor over its bound, nor below one', () => {
    const idle = createAdaptive(256)
    for (let step = 0; step < 10_000; step++) idle.ended(10, 1)
    expect(idle.limit).toBeLessThanOrEqual(16)
    expect(settle(createAdaptive(30), 1_000, seededRandom(1))).toBeLessThanOrEqual(30)
    const slower = createAdaptive(256)
    for (let step = 0; step < 10_000; step++) slower.ended(1.001 ** step, 1)
    expect(slower.limit).toBeGreaterThanOrEqual(1)
  })

  it('is what a consumer with concurrency "auto" goes by', async () => {
    const { queue, clock } = setUp({ partitions: 1, windowMax: 20_000 })
    await queue.publishAll(Array.from({ length: 5_000 }, () => ({ body: 'x' })))
    let most = 0
    let running = 0
    const consumer = queue.consume(
      async () => {
        most = Math.max(most, ++running)
        await clock.sleep(10)
        running--
      },
      { concurrency: 'auto', concurrencyMax: 60, prefetch: 1_000 },
    )
    await clock.settle()
    expect(consumer.stats()).toMatchObject({ running: 16, concurrency: 16 })
    for (let step = 0; step < 100; step++) await clock.advance(10)
    expect(most).toBe(60)
    expect(consumer.stats().concurrency).toBeGreaterThan(16)
    expect(() => queue.consume(() => {}, { concurrency: 'much' as never })).toThrow('concurrency')
    expect(() => queue.consume(() => {}, { concurrency: 'auto', concurrencyMax: 0 })).toThrow('concurrencyMax')
  })
})
