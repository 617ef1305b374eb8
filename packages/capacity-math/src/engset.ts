import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { responseTime } from './mmc-times.ts'
import { noWait } from './no-wait.ts'
import { population } from './population.ts'
import type { StableQueue } from './queue.ts'

export interface EngsetInput {
  /** Arrivals per second of each source while it is idle. */
  readonly lambda: number
  readonly mu: number
  /** c, an integer from 1 to `sources`. */
  readonly servers: number
  /** N, an integer from 1 to 1e6. */
  readonly sources: number
}

export interface EngsetQueue extends StableQueue {
  /** Share of time in which all servers are busy; of the arrivals it is `pBlock`. */
  readonly timeCongestion: number
}

const assumptions: readonly string[] = Object.freeze([
  'each idle source sends after an independent exponential time',
  'service times are independent; exponential for `response`',
  'who finds all servers busy is turned away and is idle again',
])

/**
 * Engset's loss formula: Erlang B with few customers, such as a pool shared by N callers each of which has one call at most
 * (T. O. Engset, 1918). 1/E_k = 1 + k / ((N-k+1) α E_(k-1)) with α = λ/μ.
 * @throws RangeError or TypeError naming the parameter.
 */
export function engset(queue: EngsetInput): EngsetQueue {
  const { lambda, mu, servers, sources } = queue
  checkRate('lambda', lambda)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('sources', sources, 1)
  checkNumber('sources', sources, 1, 1e6)
  checkInteger('servers', servers, 1)
  checkNumber('servers', servers, 1, sources)
  const alpha = lambda / mu
  const timeCongestion = congestion(servers, sources, alpha)
  const pBlock = sources > servers ? congestion(servers, sources - 1, alpha) : 0
  const L = (alpha / (1 + alpha)) * (sources - (sources - servers) * timeCongestion)
  // From state c downwards: p(n-1) = p(n) n / ((N-n+1) α).
  const states = new Float64Array(servers + 1)
  states[servers] = timeCongestion
  for (let n = servers; n > 0; n--)
    states[n - 1] = alpha === 0 ? Number(n === 1) : (states[n]! * n) / ((sources - n + 1) * alpha)
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: L / servers,
    throughput: mu * L,
    pWait: 0,
    pBlock,
    pAbandon: 0,
    timeCongestion,
    L,
    Lq: 0,
    W: 1 / mu,
    Wq: 0,
    wait: noWait,
    response: responseTime(0, mu, mu),
    population: population({
      kind: 'exact',
      mean: L,
      most: servers,
      pn: (n) => states[n]!,
      sf(n) {
        let sum = 0
        for (let k = servers; k > n; k--) sum += states[k]!
        return sum
      },
    }),
  }
}

function congestion(servers: number, sources: number, alpha: number): number {
  let inverse = 1
  for (let k = 1; k <= servers; k++) inverse = 1 + (k / ((sources - k + 1) * alpha)) * inverse
  return 1 / inverse
}
