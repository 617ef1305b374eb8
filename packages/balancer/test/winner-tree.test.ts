import { fc, test } from '@fast-check/vitest'
import { seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'
import { WinnerTree } from '../src/policies/winner-tree.ts'

const cost = fc.oneof(
  fc.double({ min: 0, max: 1e9, noNaN: true }),
  fc.constant(Number.POSITIVE_INFINITY),
  fc.constant(0),
)
const changes = fc.array(fc.record({ at: fc.nat(99), cost, isLookedAt: fc.boolean() }), { maxLength: 200 })

describe('the winner tree', () => {
  test.prop([fc.integer({ min: 1, max: 100 }), changes, fc.integer()])(
    'has the lowest cost at its top, however many changes after the last look, and nobody where all are infinite',
    (size, run, seed) => {
      const costs = new Float64Array(size).fill(1)
      const tree = new WinnerTree([...costs.keys()], (index) => costs[index]!, seededRandom(seed))
      for (const { at, cost, isLookedAt } of run) {
        const index = at % size
        costs[index] = cost
        tree.changed(index, 0)
        if (!isLookedAt) continue
        const lowest = Math.min(...costs)
        const first = tree.first(0)
        if (lowest === Number.POSITIVE_INFINITY) expect(first).toBe(-1)
        // Luck decides a tie, and is a billionth.
        else expect(costs[first]! - lowest).toBeLessThanOrEqual(1e-9 * lowest + 1e-12)
      }
    },
  )

  test.prop([fc.integer({ min: 1, max: 100 }), fc.array(cost, { minLength: 100, maxLength: 100 }), fc.integer()])(
    'finds out in time about costs that change without a word',
    (size, later, seed) => {
      const costs = Float64Array.from({ length: size }, () => 1)
      const tree = new WinnerTree([...costs.keys()], (index) => costs[index]!, seededRandom(seed))
      costs.set(later.slice(0, size))
      for (let pick = 0; pick < 4 * size; pick++) tree.first(0)
      const lowest = Math.min(...costs)
      if (lowest < Number.POSITIVE_INFINITY) {
        expect(costs[tree.first(0)]! - lowest).toBeLessThanOrEqual(1e-9 * lowest + 1e-12)
      }
    },
  )

  it.each([0, 1, 1e-3])('gives a tie of %f to each as often, whatever its place and the size of the tree', (tied) => {
    const counts = new Array<number>(5).fill(0)
    const tree = new WinnerTree([0, 1, 2, 3, 4], () => tied, seededRandom(1))
    for (let turn = 0; turn < 5_000; turn++) {
      for (let index = 0; index < 5; index++) tree.changed(index, 0)
      counts[tree.first(0)]!++
    }
    // 1,000 are expected, with a standard deviation of 28.
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(140)
  })
})
