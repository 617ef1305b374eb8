import { approximateQueue } from './approximate-queue.ts'
import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { mmc } from './mmc.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'

export type GgcMethod = 'whitt' | 'allenCunneen' | 'kramerLangenbachBelz' | 'kingman'

export interface GgcInput {
  readonly lambda: number
  /** Mean service time in seconds. */
  readonly meanService: number
  /** c, an integer from 1; 1 for `kramerLangenbachBelz` and `kingman`. */
  readonly servers: number
  /** Squared coefficient of variation of the times between arrivals: 1 for Poisson, more for bursts, 0 for a clock; to 1e6. */
  readonly ca2: number
  /** The same of the service times. */
  readonly cs2: number
  /** 'whitt' by default, the closest of them. */
  readonly method?: GgcMethod
}

const assumptions: readonly string[] = Object.freeze([
  'times between arrivals are independent, of any distribution with this mean and variance',
  'service times are independent, of any distribution with this mean and variance',
  'servers are identical and serve one line in order of arrival',
  'nobody is refused and nobody gives up',
])

/**
 * G/G/c from two moments, an approximation, except that 'kingman' is an upper bound of the mean (J. F. C. Kingman, 1962).
 * 'whitt' is W. Whitt, "Approximations for the GI/G/m queue", 1993; 'allenCunneen' scales M/M/c by (ca² + cs²) / 2 (A. O. Allen,
 * 1990); 'kramerLangenbachBelz' is W. Krämer & M. Langenbach-Belz, 1976.
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function ggc(queue: GgcInput): StableQueue | UnstableQueue {
  const { lambda, meanService, servers, ca2, cs2, method = 'whitt' } = queue
  checkRate('lambda', lambda)
  checkNumber('meanService', meanService, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  checkNumber('ca2', ca2, 0, 1e6)
  checkNumber('cs2', cs2, 0, 1e6)
  if (method !== 'whitt' && method !== 'allenCunneen' && servers !== 1)
    throw new RangeError(`servers must be 1 for the method ${method}, received ${servers}`)
  const kind = method === 'kingman' ? 'upper-bound' : 'approximation'
  const utilization = (lambda * meanService) / servers
  const slack = -differenceFromProduct(lambda, meanService, servers) / servers
  if (slack <= 0) return { kind, assumptions, stable: false, utilization, throughput: servers / meanService }
  const markov = mmc({ lambda, mu: 1 / meanService, servers })
  const pWait = markov.stable ? markov.pWait : 1
  const perVariance = (pWait * meanService) / (servers * slack)
  const Wq = meanWait({ method, rho: utilization, slack, servers, ca2, cs2, perVariance, lambda })
  return approximateQueue({ kind, assumptions, lambda, meanService, scv: cs2, servers, utilization, pWait, Wq })
}

interface Case {
  readonly method: GgcMethod
  readonly rho: number
  readonly slack: number
  readonly servers: number
  readonly ca2: number
  readonly cs2: number
  /** Mean wait of M/M/c. */
  readonly perVariance: number
  readonly lambda: number
}

function meanWait(given: Case): number {
  const { method, rho, slack, ca2, cs2, perVariance, lambda } = given
  if (rho === 0) return 0
  const half = (ca2 + cs2) / 2
  switch (method) {
    case 'allenCunneen':
      return perVariance * half
    case 'kingman':
      return (ca2 / lambda + (cs2 * rho * rho) / lambda) / (2 * slack)
    case 'kramerLangenbachBelz':
      return perVariance * half * kramerLangenbachBelz(rho, slack, ca2, cs2)
    case 'whitt':
      return perVariance * half * whitt(given)
  }
}

function kramerLangenbachBelz(rho: number, slack: number, ca2: number, cs2: number): number {
  if (ca2 === 0 && cs2 === 0) return 0
  if (ca2 < 1) return Math.exp((-2 * slack * (1 - ca2) ** 2) / (3 * rho * (ca2 + cs2)))
  return Math.exp((-slack * (ca2 - 1)) / (ca2 + 4 * cs2))
}

/** φ(ρ, ca², cs², m), equations 2.16 to 2.24 of the paper. */
function whitt({ rho, slack, servers: m, ca2, cs2 }: Case): number {
  if (ca2 === 0 && cs2 === 0) return 0
  const gamma = Math.min(0.24, (slack * (m - 1) * (Math.sqrt(4 + 5 * m) - 2)) / (16 * m * rho))
  const f1 = 1 + gamma
  const f3 = (1 - 4 * gamma) * Math.exp((-2 * slack) / (3 * rho))
  const f4 = Math.min(1, (f1 + f3) / 2)
  const half = (ca2 + cs2) / 2
  const psi = half >= 1 ? 1 : f4 ** (2 * (1 - half))
  if (ca2 >= cs2) {
    const whole = 4 * ca2 - 3 * cs2
    return (4 * (ca2 - cs2) * f1 + cs2 * psi) / whole
  }
  return ((cs2 - ca2) * f3 + (cs2 + 3 * ca2) * psi) / (2 * ca2 + 2 * cs2)
}
