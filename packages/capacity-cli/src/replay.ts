import type { PlanInput } from '@headrace/capacity-math/plan'
import {
  constantTime,
  erlangTime,
  exponentialTime,
  hyperexponentialTime,
  replayedTime,
  type Sampler,
  simulateQueue,
} from '@headrace/capacity-math/simulate'

/** What a trace itself needs, burst by burst, and not what a formula makes of its variance. */
export interface Replay {
  /** Fewest servers with which its arrivals keep the promise; null where 65,536 are not enough. */
  readonly servers: number | null
  /** The share that is late with so many. */
  readonly late: number
}

const serversMax = 65_536

/** Sends the arrivals of a trace to more and more servers, until the promise is kept: doubling first, then by halves. */
export function replay(times: readonly number[], input: PlanInput, seed = 1): Replay {
  const { p, wait, response } = input.slo
  const gaps = times.map((at, i) => at - (times[i - 1] ?? at))
  const lateWith = (servers: number) => {
    const { waitSf, responseSf } = simulateQueue({
      arrivals: replayedTime(gaps),
      service: serviceLike(input.meanService, input.cs2 ?? 1),
      servers,
      // The simulator lets a fifth as many pass before it begins to watch.
      customers: Math.floor(gaps.length / 1.2),
      seed,
      times: [wait ?? response ?? 0],
    })
    return (wait === undefined ? responseSf : waitSf)[0]!.mean
  }
  let [few, enough] = [0, 1]
  while (lateWith(enough) > 1 - p) {
    if (enough >= serversMax) return { servers: null, late: lateWith(enough) }
    few = enough
    enough *= 2
  }
  while (enough - few > 1) {
    const middle = Math.floor((few + enough) / 2)
    if (lateWith(middle) > 1 - p) few = middle
    else enough = middle
  }
  return { servers: enough, late: lateWith(enough) }
}

/** A service time with this mean and, nearly, this variability: constant, Erlang, exponential or two exponentials. */
function serviceLike(mean: number, scv: number): Sampler {
  if (scv === 1) return exponentialTime(mean)
  if (scv < 1e-3) return constantTime(mean)
  if (scv < 1) return erlangTime(Math.max(1, Math.round(1 / scv)), mean)
  const share = (1 + Math.sqrt((scv - 1) / (scv + 1))) / 2
  return hyperexponentialTime(share, mean / (2 * share), mean / (2 * (1 - share)))
}
