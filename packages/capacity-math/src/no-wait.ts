import { type Distribution, distribution } from './distribution.ts'
import { population } from './population.ts'
import type { StableQueue } from './queue.ts'

/** The wait where there is none. */
export const noWait: Distribution = /* @__PURE__ */ constantTime(0)

/** A time that is always the same. */
export function constantTime(constant: number): Distribution {
  return distribution({
    kind: 'exact',
    mean: constant,
    variance: 0,
    above0: constant > 0 ? 1 : 0,
    sf: (t) => (t < constant ? 1 : 0),
    isf: () => constant,
  })
}

/** A queue to which nobody comes, whose `response` would be `response`. */
export function idleQueue(response: Distribution, assumptions: readonly string[]): StableQueue {
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: 0,
    throughput: 0,
    pWait: 0,
    pBlock: 0,
    pAbandon: 0,
    L: 0,
    Lq: 0,
    W: response.mean,
    Wq: 0,
    wait: noWait,
    response,
    population: population({ kind: 'exact', mean: 0, pn: (n) => (n === 0 ? 1 : 0), sf: () => 0 }),
  }
}
