import { type Random, randomBelow } from '@headrace/core'
import { residenceMs } from '../load/little.ts'
import { inFlightPerShare } from './least-loaded.ts'
import { cheapest } from './lowest-cost.ts'
import { type Candidate, type PickContext, type Policy, shareOf } from './policy.ts'

// The constants of the paper: a pool of 16, and hot is what has more in flight than 84 % of it.
const poolSize = 16
const hotQuantile = 0.84

/**
 * The hot-cold rule of Prequal (B. Wydrowski et al., "Load is not what you should balance", NSDI 2024): of a pool drawn at
 * random, those with unusually much in flight are hot; the fastest of the cold is chosen, and where all are hot the
 * least loaded. The paper asks the endpoints by probes; this is the rule on what this client has in flight itself.
 */
export function prequal(): Policy {
  return {
    name: 'prequal',
    picker(candidates, random) {
      const pool: number[] = []
      const inFlight: number[] = []
      return {
        pick(context) {
          draw(pool, candidates, random, context)
          if (pool.length === 0) return cheapest(candidates, random, inFlightPerShare, context)
          const { nowMs } = context
          for (let at = 0; at < pool.length; at++) inFlight[at] = inFlightPerShare(candidates[pool[at]!]!, nowMs)
          inFlight.length = pool.length
          inFlight.sort(ascending)
          const hotFrom = inFlight[Math.floor(hotQuantile * (pool.length - 1))]!
          let best = pool[0]!
          for (const index of pool) if (isBetter(candidates[index]!, candidates[best]!, hotFrom, nowMs)) best = index
          return best
        },
      }
    },
  }
}

function isBetter(one: Candidate, other: Candidate, hotFrom: number, nowMs: number): boolean {
  const busyOne = inFlightPerShare(one, nowMs)
  const busyOther = inFlightPerShare(other, nowMs)
  const hotOne = busyOne > hotFrom
  if (hotOne !== busyOther > hotFrom) return !hotOne
  if (hotOne) return busyOne < busyOther
  return latencyMs(one, nowMs) / shareOf(one, nowMs) < latencyMs(other, nowMs) / shareOf(other, nowMs)
}

/** At what is in flight now; the paper takes the latency of recent requests that found about as many before them. */
function latencyMs({ load }: Candidate, nowMs: number): number {
  const usuallyInFlight = load.areaMs / load.pace.fadeMs
  return (residenceMs(load, nowMs) * (load.inFlight + 1)) / (usuallyInFlight + 1)
}

function ascending(one: number, other: number): number {
  return one - other
}

/** Fills `pool` with candidates that are not excluded: all of few, else a random sample, in random order. */
function draw(pool: number[], candidates: readonly Candidate[], random: Random, { exclude }: PickContext): void {
  pool.length = 0
  const size = candidates.length
  const start = randomBelow(random, size)
  // Of few, every one is taken, from a random start; of many, the same one may be drawn twice, which does no harm.
  for (let drawn = 0; drawn < Math.min(size, poolSize); drawn++) {
    const index = size <= poolSize ? (start + drawn) % size : randomBelow(random, size)
    if (!exclude?.has(candidates[index]!.endpoint.id)) pool.push(index)
  }
}
