import { seededRandom } from '@headrace/core'
import { expect, it } from 'vitest'
import type { BenchContext } from '../src/bench.ts'
import { callsPerSec } from '../src/calls-per-sec.ts'
import { closedLoop } from '../src/closed-loop.ts'

const context = (signal = new AbortController().signal): BenchContext => ({
  quick: true,
  warmUp: false,
  durationMs: 20,
  random: seededRandom(1),
  seed: 1,
  signal,
  url: () => '',
})

it('every call is made, with its number, and the rate does not count the warm-up', () => {
  const seen: number[] = []
  const rate = callsPerSec(context(), (index) => seen.push(index))
  expect(seen.slice(0, 1_000)).toEqual(Array.from({ length: 1_000 }, (_, index) => index))
  expect(rate).toBeGreaterThan(0)
  expect(rate * 0.02).toBeLessThan(seen.length)
})

it('a closed loop keeps its callers busy, one call each, until the time is over', async () => {
  let running = 0
  let most = 0
  const indices: number[] = []
  const measured = await closedLoop(context(), {
    callers: 4,
    call: async (caller, index) => {
      indices.push(index)
      expect(caller).toBeLessThan(4)
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
    },
  })
  expect(most).toBe(4)
  expect(running).toBe(0)
  expect(indices).toEqual(indices.map((_, index) => index))
  expect(measured.answeredPerSec).toBeGreaterThan(0)
  expect(measured.p50Ms).toBeLessThanOrEqual(measured.p99Ms)
  // The histogram keeps three digits.
  expect(measured.p99Ms).toBeLessThanOrEqual(measured.maxMs * 1.001)
})

it('a call that fails, and a signal that aborts, end the loop', async () => {
  const failing = closedLoop(context(), { callers: 2, call: () => Promise.reject(new Error('refused')) })
  await expect(failing).rejects.toThrow('refused')
  const stopped = closedLoop(context(AbortSignal.abort(new Error('enough'))), { callers: 1, call: async () => {} })
  await expect(stopped).rejects.toThrow('enough')
  expect(() => callsPerSec(context(AbortSignal.abort(new Error('enough'))), () => 0)).toThrow('enough')
})
