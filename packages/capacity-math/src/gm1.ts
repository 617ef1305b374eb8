import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { waitTime } from './mmc-times.ts'
import { idleQueue } from './no-wait.ts'
import { population } from './population.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'
import { logDefect } from './saddle-point.ts'
import { zeroBetween } from './zero.ts'

/** How arrivals follow each other: by a clock, more regularly than Poisson, or in bursts (two exponentials with balanced means). */
export type ArrivalPattern =
  | { readonly kind: 'deterministic' }
  | { readonly kind: 'erlang'; readonly stages: number }
  | { readonly kind: 'hyperexponential'; readonly scv: number }

export interface Gm1Queue extends StableQueue {
  /** σ: the share of arrivals that waits, and the ratio of the geometric number that they find. */
  readonly sigma: number
}

const assumptions: readonly string[] = Object.freeze([
  'times between arrivals are independent, of the pattern given',
  'service times are independent and exponential',
  'one server, one line, in order of arrival',
  'nobody is refused and nobody gives up',
])

/**
 * G/M/1: one server with exponential service and arrivals that are not Poisson. All follows from the root σ of
 * σ = A*(μ (1 - σ)), with A* the Laplace transform of the time between arrivals (Kleinrock, vol. 1, 6.4).
 * @param queue.lambda arrivals per second. @param queue.mu completions per second.
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function gm1(queue: {
  readonly lambda: number
  readonly mu: number
  readonly arrivals: ArrivalPattern
}): Gm1Queue | UnstableQueue {
  const { lambda, mu, arrivals } = queue
  checkRate('lambda', lambda)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkArrivals(arrivals)
  const rho = lambda / mu
  if (lambda >= mu) return { kind: 'exact', assumptions, stable: false, utilization: rho, throughput: mu }
  if (rho < 1e-100) return { ...idleQueue(waitTime(1, mu), assumptions), sigma: 0 }
  const { sigma, rest } = sigmaOf(arrivals, rho, (mu - lambda) / lambda)
  const theta = mu * rest
  const wait = waitTime(sigma, theta)
  const Lq = lambda * wait.mean
  const log = sigma > 0.5 ? Math.log1p(-rest) : Math.max(Math.log(sigma), -1e290)
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: rho,
    throughput: lambda,
    sigma,
    pWait: sigma,
    pBlock: 0,
    pAbandon: 0,
    L: rho / rest,
    Lq,
    W: 1 / theta,
    Wq: wait.mean,
    wait,
    response: waitTime(1, theta),
    population: population({
      kind: 'exact',
      mean: rho / rest,
      pn: (n) => (n === 0 ? 1 - rho : rho * rest * Math.exp((n - 1) * log)),
      sf: (n) => rho * Math.exp(n * log),
    }),
  }
}

/** σ and 1 - σ, each with its own digits. `excess` is 1/ρ - 1. */
function sigmaOf(arrivals: ArrivalPattern, rho: number, excess: number): { sigma: number; rest: number } {
  const straight = (u: number) => curvature(arrivals, u, rho) / u - excess
  const highest = 1 - 2 ** -53
  const rest = straight(highest) > 0 ? zeroBetween(straight, Math.min(excess, 1) * 1e-9, highest) : 1
  if (rest < 0.9) return { sigma: 1 - rest, rest }
  const f = (sigma: number) => Math.log(sigma) - logTransform(arrivals, (1 - sigma) / rho)
  const sigma = zeroBetween(f, Math.exp(Math.max(-700, logTransform(arrivals, 1 / rho))) * (1 - 1e-9), 0.2)
  return { sigma, rest: 1 - sigma }
}

/** u / ρ less the u at which the equation of 1 - σ would hold if it were straight: free of the cancellation near saturation. */
function curvature(arrivals: ArrivalPattern, u: number, rho: number): number {
  if (arrivals.kind === 'deterministic') return logDefect(-u)
  if (arrivals.kind === 'erlang') return logDefect(-u) + arrivals.stages * logDefect(u / (arrivals.stages * rho))
  let sum = 0
  for (const [share, mean] of phases(arrivals.scv)) sum += (share * ((mean * u) / rho) ** 2) / (1 + (mean * u) / rho)
  return sum
}

/** ln A*(s), with s in units of the arrival rate. */
function logTransform(arrivals: ArrivalPattern, s: number): number {
  if (arrivals.kind === 'deterministic') return -s
  if (arrivals.kind === 'erlang') return -arrivals.stages * Math.log1p(s / arrivals.stages)
  let sum = 0
  for (const [share, mean] of phases(arrivals.scv)) sum += share / (1 + mean * s)
  return Math.log(sum)
}

/** Two exponentials of mean 1 together, each with half of the time: shares and means. */
function phases(scv: number): [share: number, mean: number][] {
  const share = (1 + Math.sqrt((scv - 1) / (scv + 1))) / 2
  return [
    [share, 1 / (2 * share)],
    [1 - share, 1 / (2 * (1 - share))],
  ]
}

function checkArrivals(arrivals: ArrivalPattern): void {
  if (arrivals.kind === 'erlang') {
    checkInteger('arrivals.stages', arrivals.stages, 1)
    checkNumber('arrivals.stages', arrivals.stages, 1, 1e6)
  } else if (arrivals.kind === 'hyperexponential') checkNumber('arrivals.scv', arrivals.scv, 1, 1e6)
  else if (arrivals.kind !== 'deterministic')
    throw new TypeError(
      `arrivals.kind must be deterministic, erlang or hyperexponential, received ${String((arrivals as ArrivalPattern).kind)}`,
    )
}
