import { checkInteger, checkNumber, magnitudeMax } from './checks.ts'
import { distribution } from './distribution.ts'
import { outlasted } from './mmck-response.ts'
import { population } from './population.ts'
import type { StableQueue } from './queue.ts'
import { poissonTerm } from './saddle-point.ts'
import { stageMixture } from './stage-mixture.ts'

export interface FiniteSourceInput {
  /** N, an integer from 1 to 1e5. */
  readonly clients: number
  /** Mean seconds between an answer and the client's next request. */
  readonly thinkTime: number
  /** Mean seconds of a service, exponential; of a lock: how long it is held. */
  readonly serviceTime: number
  /** c, an integer from 1; 1 for a lock. */
  readonly servers: number
}

const assumptions: readonly string[] = Object.freeze([
  'a fixed number of clients, each with one request at most at a time',
  'think times and service times are independent and exponential',
  'servers are identical and serve one line in order of arrival',
])

/**
 * M/M/c//N, clients that wait for their answer before they ask again: a lock and those who want it, a pool and its callers. Never
 * unstable; the load gives way (Kleinrock, vol. 1, 3.8). An arrival sees the system of the other N - 1.
 * @throws RangeError or TypeError naming the parameter.
 */
export function finiteSource(queue: FiniteSourceInput): StableQueue {
  const { clients, thinkTime, serviceTime, servers } = queue
  checkInteger('clients', clients, 1)
  checkNumber('clients', clients, 1, 1e5)
  checkNumber('thinkTime', thinkTime, 1 / magnitudeMax, magnitudeMax)
  checkNumber('serviceTime', serviceTime, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  const states = stationary(clients, servers, serviceTime / thinkTime)
  let [L, Lq, busy] = [0, 0, 0]
  states.forEach((p, n) => {
    L += n * p
    Lq += Math.max(0, n - servers) * p
    busy += Math.min(n, servers) * p
  })
  const throughput = busy / serviceTime
  const others = clients === 1 ? Float64Array.of(1) : stationary(clients - 1, servers, serviceTime / thinkTime)
  // Who finds c + i others waits for i + 1 departures.
  const ahead = others.subarray(Math.min(servers, others.length))
  const most = ahead.length
  const tails = suffixSums(ahead)
  const rate = servers / serviceTime
  const second = ahead.reduce((sum, p, i) => sum + p * (i + 1) * (i + 2), 0) / rate ** 2
  const Wq = Lq / throughput
  const varWq = Math.max(0, second - Wq * Wq)
  const exceeds = (i: number) => tails[i] ?? 0
  const wait = stageMixture({ rate, exceeds, most, ratio: 1, mean: Wq, variance: varWq })
  const above = suffixSums(states)
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: busy / servers,
    throughput,
    pWait: exceeds(0),
    pBlock: 0,
    pAbandon: 0,
    L,
    Lq,
    W: Wq + serviceTime,
    Wq,
    wait,
    response: distribution({
      kind: 'exact',
      mean: Wq + serviceTime,
      variance: varWq + serviceTime ** 2,
      above0: 1,
      sf: (t) => Math.min(1, wait.sf(t) + served(ahead, exceeds(0), servers, t / serviceTime)),
    }),
    population: population({ kind: 'exact', mean: L, most: clients, pn: (n) => states[n]!, sf: (n) => above[n + 1]! }),
  }
}

/** p(n), built from the largest on, so that nothing overflows and what underflows does not count. */
function stationary(clients: number, servers: number, ratio: number): Float64Array {
  const growth = (n: number) => ((clients - n) * ratio) / Math.min(n + 1, servers)
  let mode = 0
  while (mode < clients && growth(mode) > 1) mode++
  const states = new Float64Array(clients + 1)
  states[mode] = 1
  for (let n = mode; n < clients; n++) states[n + 1] = states[n]! * growth(n)
  for (let n = mode; n > 0; n--) states[n - 1] = states[n]! / growth(n - 1)
  const sum = states.reduce((total, p) => total + p, 0)
  return states.map((p) => p / sum)
}

function suffixSums(values: Float64Array): Float64Array {
  const sums = values.slice()
  for (let i = sums.length - 2; i >= 0; i--) sums[i]! += sums[i + 1]!
  return sums
}

/**
 * P(the wait is over but not the service) at y services' time. Of k departures and a service it is g(k), with
 * g(k) = g(k+1) (c-1)/c + P(Poisson(c y) = k): all terms positive, from the most departures that there can be down.
 */
function served(ahead: Float64Array, pWait: number, servers: number, y: number): number {
  let sum = (1 - pWait) * Math.exp(-y)
  if (y === 0 || ahead.length === 0) return sum
  let g = outlasted(ahead.length + 1, servers, y)
  for (let k = ahead.length; k > 0; k--) {
    g = g * (1 - 1 / servers) + poissonTerm(k, servers * y)
    sum += ahead[k - 1]! * g
  }
  return sum
}
