import { checkNumber } from '@headrace/core'
import { littleCost } from './little.ts'
import { cheapest } from './lowest-cost.ts'
import type { Candidate, PickContext, Policy } from './policy.ts'

export interface RendezvousOptions {
  /**
   * An endpoint holds at most this many times its share of what is in flight; over it, a key goes to its next best. 2 by default;
   * Infinity keeps each key at its home, whatever the load.
   */
  readonly boundedLoad?: number | undefined
  /** Whether a key with work in flight stays where that is, so that it is never in two places. True by default. */
  readonly pin?: boolean | undefined
}

/**
 * The same endpoint for the same key, agreed upon by all clients that see the same list: each endpoint draws a number from
 * its id and the key, and the highest has it (D. Thaler and C. Ravishankar, 1998; weights by -w / ln u). When an endpoint
 * comes or goes, only the keys move that must. The load is bounded as in "Consistent hashing with bounded
 * loads" (V. Mirrokni, M. Thorup, M. Zadimoghaddam, 2018). Picks without a key go where {@link little} would send them.
 */
export function rendezvous(options: RendezvousOptions = {}): Policy {
  const { boundedLoad = 2, pin = true } = options
  checkNumber('boundedLoad', boundedLoad, { min: 1, max: Number.POSITIVE_INFINITY })
  return {
    name: 'rendezvous',
    pinsKeys: pin,
    cost: (candidate, nowMs, key) => {
      if (key === undefined) return littleCost(candidate, nowMs)
      const { id, weight } = candidate.endpoint
      return 1 / weighted(mixed(hashOf(key) ^ hashOf(id)), weight)
    },
    picker(candidates, random) {
      const draw = drawsOf(candidates)
      const totalWeight = candidates.reduce((sum, { endpoint }) => sum + endpoint.weight, 0)
      return {
        pick: (context) => {
          if (context.key === undefined) return cheapest(candidates, random, littleCost, context)
          return home(
            candidates,
            draw(context.key),
            context,
            (boundedLoad * (inFlightOf(candidates) + 1)) / totalWeight,
          )
        },
      }
    },
  }
}

/** The highest draw among those that may hold one more; among all, where nobody may. */
function home(
  candidates: readonly Candidate[],
  draw: (index: number) => number,
  { exclude }: PickContext,
  inFlightPerWeightMax: number,
): number {
  let best = -1
  let bestDraw = -1
  let bestIsFull = true
  for (let index = 0; index < candidates.length; index++) {
    const { endpoint, load } = candidates[index]!
    if (exclude?.has(endpoint.id)) continue
    const isFull = load.inFlight >= Math.ceil(inFlightPerWeightMax * endpoint.weight)
    if (isFull && !bestIsFull) continue
    const drawn = draw(index)
    if (drawn > bestDraw || (bestIsFull && !isFull)) {
      best = index
      bestDraw = drawn
      bestIsFull = isFull
    }
  }
  return best
}

function inFlightOf(candidates: readonly Candidate[]): number {
  let sum = 0
  for (const { load } of candidates) sum += load.inFlight
  return sum
}

/** For a key, what each candidate draws. */
function drawsOf(candidates: readonly Candidate[]): (key: string) => (index: number) => number {
  const hashes = Uint32Array.from(candidates, ({ endpoint }) => hashOf(endpoint.id))
  const weights = Float64Array.from(candidates, ({ endpoint }) => endpoint.weight)
  const alike = weights.every((weight) => weight === weights[0])
  return (key) => {
    const keyHash = hashOf(key)
    // With equal weights the order is that of the hashes, and no logarithm is needed to know it.
    if (alike) return (index) => mixed(keyHash ^ hashes[index]!)
    return (index) => weighted(mixed(keyHash ^ hashes[index]!), weights[index]!)
  }
}

/** The higher the hash and the weight, the higher; the highest of several is this one in proportion to its weight. */
function weighted(hash: number, weight: number): number {
  return -weight / Math.log((hash + 0.5) / 2 ** 32)
}

/** FNV-1a over the UTF-16 units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mixed(hash)
}

/** A bijection on 32 bits of which each output bit depends on each input bit (C. Wellons' lowbias32). */
function mixed(hash: number): number {
  let mix = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad)
  mix = Math.imul(mix ^ (mix >>> 15), 0xd35a2d97)
  return (mix ^ (mix >>> 15)) >>> 0
}
