import { expect, it } from 'vitest'
import { chaos } from './chaos.ts'
import { violations } from './history.ts'

const minuteMs = 60_000

// Run with another seed: HEADRACE_SEED=7.
const seeds = process.env['HEADRACE_SEED'] ? [Number(process.env['HEADRACE_SEED'])] : [1, 2]

it.each(seeds)('hazard 36: a day of faults breaks no promise (seed %i)', { timeout: 60_000 }, async (seed) => {
  const { history, overBounds, pending, tookMs } = await chaos({
    seed,
    keys: 40,
    perKey: 150,
    pauseMs: 60 * minuteMs,
    faults: 280,
    everyMs: 10 * minuteMs,
    outageMs: 5 * minuteMs,
    attempts: 5,
  })
  expect(tookMs).toBeGreaterThan(24 * 60 * minuteMs)
  expect(violations(history)).toEqual([])
  expect(overBounds).toEqual([])
  expect(pending).toBe(0)
  const count = (type: string) => history.filter((event) => event.type === type).length
  expect(count('accepted')).toBe(40 * 150)
  for (const type of ['unknown', 'failed', 'dead', 'redriven']) expect(count(type)).toBeGreaterThan(20)
})
