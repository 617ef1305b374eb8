import { checkInteger, checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import { type Distribution, distribution } from './distribution.ts'
import { logLower, lower, lowerRatio, type Patience, servedRatio, sumAbove, weightedSumAbove } from './erlang-a-wait.ts'
import { erlangB } from './erlang-b.ts'
import { above, below } from './gamma-ratio.ts'
import { idleStates } from './idle-states.ts'
import { type Population, population } from './population.ts'
import type { StableQueue } from './queue.ts'
import { logPoissonTerm, poissonTerm } from './saddle-point.ts'
import { smallestInteger } from './smallest-integer.ts'

export interface ErlangADemand {
  /** Arrivals per second, from 1e-100 to 1e100. */
  readonly lambda: number
  /** What one server completes per second when busy, from 1e-100 to 1e100. */
  readonly mu: number
  /** 1 / mean patience, per second; from 1e-100 to 1e100. λ/θ and cμ/θ may be up to 1e15. */
  readonly theta: number
}

export interface ErlangAQueue extends StableQueue {
  /** What a newcomer that never gives up would have to wait. */
  readonly offeredWait: Pick<Distribution, 'kind' | 'atomAtZero' | 'sf'>
  /** P(served after waiting at most t). @param t seconds, from 0. */
  serviceLevel(t: number): number
}

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'service times are independent and exponential',
  'servers are identical and serve one line in order of arrival',
  'each that waits gives up after an independent exponential time, and does not come back',
])

/**
 * Erlang A, M/M/c+M: as M/M/c, but those who wait too long leave. Always stable (C. Palm, 1957; A. Mandelbaum & S. Zeltyn,
 * "Service engineering in action: the Palm/Erlang-A queue", 2007). `wait` and `response` are those of all arrivals: until
 * service or giving up, until served or giving up.
 * @param queue.servers c, an integer from 1.
 * @throws RangeError or TypeError naming the parameter.
 */
export function erlangA(queue: ErlangADemand & { readonly servers: number }): ErlangAQueue {
  const { lambda, mu, theta, servers } = queue
  const parts = waiting(queue)
  const { patience, pWait, noWait, Lq, pAbandon, served } = parts
  const { s, x } = patience
  const busy = (lambda / mu) * served
  const Wq = Lq / lambda
  const offeredSf = (t: number) => pWait * lowerRatio(patience, theta * t)
  const wait = distribution({
    kind: 'exact',
    mean: Wq,
    above0: pWait,
    sf: (t) => offeredSf(t) * Math.exp(-theta * t),
  })
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: busy / servers,
    throughput: lambda * served,
    pWait,
    pBlock: 0,
    pAbandon,
    L: Lq + busy,
    Lq,
    W: (Lq + busy) / lambda,
    Wq,
    wait,
    response: responseOf(queue, parts, wait),
    population: numberInSystem(queue, parts, Lq + busy),
    offeredWait: {
      kind: 'exact',
      atomAtZero: noWait,
      sf(t) {
        checkNumber('t', t, 0, magnitudeMax)
        return offeredSf(t)
      },
    },
    serviceLevel(t) {
      checkNumber('t', t, 0, magnitudeMax)
      return Math.min(1, noWait + pWait * (s / x) * servedRatio(patience, theta * t))
    },
  }
}

/** The smallest number of servers with which at most the share `pAbandon` of the arrivals gives up. */
export function minServersForAbandonment(demand: ErlangADemand & { readonly pAbandon: number }): number {
  const { pAbandon, ...rest } = demand
  checkProbability('pAbandon', pAbandon)
  const load = rest.lambda / rest.mu
  return smallestInteger((servers) => waiting({ ...rest, servers }).pAbandon <= pAbandon, 1, load * (1 - pAbandon))
}

/** The smallest number of servers that serves at least the share `p` of the arrivals after a wait of at most `t` seconds. */
export function minServersForServiceLevel(demand: ErlangADemand & { readonly t: number; readonly p: number }): number {
  const { t, p, ...rest } = demand
  checkProbability('p', p)
  const load = rest.lambda / rest.mu
  return smallestInteger((servers) => erlangA({ ...rest, servers }).serviceLevel(t) >= p, 1, load * p)
}

interface Waiting {
  readonly patience: Patience
  readonly pWait: number
  /** P(N < c) */
  readonly noWait: number
  /** P(N = c) */
  readonly first: number
  readonly Lq: number
  readonly pAbandon: number
  readonly served: number
}

function waiting(queue: ErlangADemand & { readonly servers: number }): Waiting {
  checkErlangA(queue)
  const { lambda, mu, theta, servers } = queue
  const patience = { s: (servers * mu) / theta, x: lambda / theta }
  const { s, x } = patience
  const full = erlangB({ servers, load: lambda / mu })
  const sum = sumAbove(patience)
  // Divided by the sum under heavy overload, where it may be infinite and `full` cannot be small.
  const heavy = sum > 1
  const [one, many] = heavy ? [1 / sum, 1] : [1, sum]
  const whole = one + full * many
  const pWait = (full * (one + many)) / whole
  // Where nearly all wait the number is x, and the weighted sum might be infinite even where the sum is not.
  const Lq = sum < 1e290 ? (full * weightedSumAbove(patience, sum)) / (1 + full * sum) : x - s
  return {
    patience,
    pWait,
    noWait: ((1 - full) * one) / whole,
    first: (full * one) / whole,
    Lq,
    pAbandon: Lq / x,
    served: ((1 - full) * one + full * many * (s / x)) / whole,
  }
}

function checkErlangA({ lambda, mu, theta, servers }: ErlangADemand & { readonly servers: number }): void {
  checkNumber('lambda', lambda, 1 / magnitudeMax, magnitudeMax)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkNumber('theta', theta, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  checkNumber('lambda / mu', lambda / mu, 0, ratioMax)
  checkNumber('lambda / theta', lambda / theta, 0, ratioMax)
  checkNumber('servers * mu / theta', (servers * mu) / theta, 0, ratioMax)
}

const ratioMax = 1e15

/**
 * Who is still there after t waits longer, or entered at once and is still served, or was served after a wait u < t: the last
 * is e^-μt ∫ over that density with e^(μ-θ)u in it, again a difference of two incomplete gamma functions.
 */
function responseOf(queue: ErlangADemand, parts: Waiting, wait: Distribution): Distribution {
  const { mu, theta } = queue
  const { patience, pWait, noWait, served } = parts
  const { s, x } = patience
  const shifted = s + 1 - mu / theta
  const unit = Math.log(s) - logLower(patience)
  // e^-μt ∫ up to u = v / θ, from the side of the incomplete gamma function that is small, with all exponents together.
  const part = (t: number, v: number, upper: boolean) => {
    const y = x * Math.exp(-v)
    const exponent = unit - mu * t - shifted * v - x * Math.expm1(-v)
    if (upper) return (Math.exp(exponent) * below(shifted - 1, y)) / y
    return Math.exp(exponent + logLower({ s: shifted, x: y })) / shifted
  }
  return distribution({
    kind: 'exact',
    mean: wait.mean + served / mu,
    above0: 1,
    sf(t) {
      const upper = x * Math.exp(-theta * t) >= shifted + 1
      const difference = part(t, theta * t, upper) - part(t, 0, upper)
      const after = Math.max(0, upper ? difference : -difference)
      return Math.min(1, wait.sf(t) + noWait * Math.exp(-mu * t) + pWait * after)
    },
  })
}

/** From c on p(c + j) = p(c) x^j / ((s+1)…(s+j)): Poisson terms again, of another mean. */
function numberInSystem(
  queue: ErlangADemand & { readonly servers: number },
  { patience, pWait, noWait, first }: Waiting,
  mean: number,
): Population {
  const { servers } = queue
  const { s, x } = patience
  const free = idleStates({ servers, load: queue.lambda / queue.mu, idle: noWait, first, busy: pWait })
  const waitingAt = (j: number) =>
    x < s + 1
      ? first * Math.exp(logPoissonTerm(s + j, x) - logPoissonTerm(s, x))
      : (pWait * poissonTerm(s + j, x)) / lower(patience)
  return population({
    kind: 'exact',
    mean,
    pn: (n) => (n < servers ? free.pn(n) : waitingAt(n - servers)),
    sf(n) {
      if (n < servers - 1) return free.sf(n)
      if (n === servers - 1) return pWait
      const j = n - servers
      if (x < s + j + 1) return waitingAt(j) * above(s + j, x)
      return (pWait * (1 - poissonTerm(s + j, x) * below(s + j, x))) / lower(patience)
    },
  })
}
