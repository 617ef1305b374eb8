import { checkNumber, checkRate } from './checks.ts'
import { solveLinear } from './linear-system.ts'
import { type MmcQueue, mmc } from './mmc.ts'
import type { UnstableQueue } from './queue.ts'

/** A station of an open network: where its work comes from, and where it goes. */
export interface JacksonStation {
  /** Arrivals per second from outside. */
  readonly arrivals: number
  readonly mu: number
  readonly servers: number
  /** The share of its output that goes to each station; what is missing to 1 leaves. */
  readonly routing: readonly number[]
}

export interface JacksonNetwork {
  readonly stable: boolean
  /** All arrivals per second at each station, and the station as a queue. `W` is per visit. */
  readonly stations: readonly { readonly rate: number; readonly queue: MmcQueue | UnstableQueue }[]
  /** Mean number in the network and mean time from entering to leaving it; only where every station is stable. */
  readonly L?: number
  readonly W?: number
}

/**
 * An open network of M/M/c stations: each is as if alone with its own rate, from the traffic equations λ = γ + λ P (J. R. Jackson,
 * "Jobshop-like queueing systems", 1963).
 * @throws RangeError or TypeError naming the parameter, also where work could never leave.
 */
export function jackson(stations: readonly JacksonStation[]): JacksonNetwork {
  for (const { arrivals, routing } of stations) {
    checkRate('arrivals', arrivals)
    if (routing.length !== stations.length)
      throw new RangeError(`routing must have ${stations.length} entries, one per station, received ${routing.length}`)
    for (const share of routing) checkNumber('routing', share, 0, 1)
    checkNumber(
      'the sum of routing',
      routing.reduce((sum, share) => sum + share, 0),
      0,
      1 + 1e-12,
    )
  }
  const matrix = stations.map((_, i) => stations.map((from, j) => Number(i === j) - from.routing[i]!))
  const rates = solveLinear(
    matrix,
    stations.map((it) => it.arrivals),
  ).map((rate) => Math.max(0, rate))
  const result = stations.map(({ mu, servers }, i) => ({
    rate: rates[i]!,
    queue: mmc({ lambda: rates[i]!, mu, servers }),
  }))
  let L = 0
  for (const { queue } of result) {
    if (!queue.stable) return { stable: false, stations: result }
    L += queue.L
  }
  const entering = stations.reduce((sum, it) => sum + it.arrivals, 0)
  return { stable: true, stations: result, L, W: entering === 0 ? 0 : L / entering }
}
