import { checkInteger, checkNumber, checkRate } from './checks.ts'

export interface ClosedNetwork {
  /** Completions per second. */
  readonly X: number
  /** Mean seconds in the stations, without thinking. */
  readonly R: number
  /** Mean number at each station. */
  readonly Q: readonly number[]
  /** Share of time each station is busy, per server. */
  readonly U: readonly number[]
}

/**
 * A closed network of single-server stations with a fixed population, exact mean value analysis (M. Reiser & S. Lavenberg, 1980):
 * R_k(n) = D_k (1 + Q_k(n-1)), X(n) = n / (Z + Σ R_k). Services are exponential, or the stations are shared equally.
 * @param network.demands seconds that one request needs of each station in all. @param network.thinkTime Z, in seconds.
 * @param network.population an integer from 1 to 1e6.
 */
export function mva(network: {
  readonly demands: readonly number[]
  readonly thinkTime: number
  readonly population: number
}): ClosedNetwork {
  const { demands, thinkTime, population } = network
  for (const demand of demands) checkRate('demands', demand)
  checkRate('thinkTime', thinkTime)
  checkInteger('population', population, 1)
  checkNumber('population', population, 1, 1e6)
  if (!(thinkTime + demands.reduce((sum, it) => sum + it, 0) > 0))
    throw new RangeError('demands and thinkTime must not all be 0')
  let Q = demands.map(() => 0)
  let [X, R] = [0, 0]
  for (let n = 1; n <= population; n++) {
    const times = demands.map((demand, k) => demand * (1 + Q[k]!))
    R = times.reduce((sum, it) => sum + it, 0)
    X = n / (thinkTime + R)
    Q = times.map((time) => X * time)
  }
  return { X, R, Q, U: demands.map((demand) => X * demand) }
}

export interface ClosedStation {
  /** Visits of one request, and seconds of service in each. */
  readonly visits: number
  readonly service: number
  /** An integer from 1, or 'delay' where nobody ever waits. */
  readonly servers: number | 'delay'
}

/**
 * A closed network whose stations have several servers, by convolution (J. P. Buzen, 1973). Mean value analysis with load-dependent
 * stations loses all digits under load (Reiser 1981); this adds positive terms only. Services are exponential.
 * @param network.population an integer from 1 to 10,000.
 */
export function closedNetwork(network: {
  readonly stations: readonly ClosedStation[]
  readonly thinkTime: number
  readonly population: number
}): ClosedNetwork {
  const { stations, thinkTime, population: N } = network
  checkRate('thinkTime', thinkTime)
  checkInteger('population', N, 1)
  checkNumber('population', N, 1, 10_000)
  stations.forEach(checkStation)
  const demands = stations.map(({ visits, service }) => visits * service)
  for (const demand of demands) checkRate('stations.visits * stations.service', demand)
  const total = thinkTime + demands.reduce((sum, it) => sum + it, 0)
  if (!(total > 0)) throw new RangeError('stations and thinkTime must not all be 0')
  // In units of the throughput that the bounds allow, the constants are of one size.
  const slowest = Math.max(
    ...demands.map((demand, k) => (stations[k]!.servers === 'delay' ? 0 : demand / Number(stations[k]!.servers))),
    0,
  )
  const unit = Math.min(slowest > 0 ? 1 / slowest : Number.POSITIVE_INFINITY, N / total)
  const factors = stations.map(({ servers }, k) => stationTerms(demands[k]! * unit, servers, N))
  const thinking = stationTerms(thinkTime * unit, 'delay', N)
  // Before and after each station, so that the network without it is one convolution away.
  const before: Float64Array[] = [thinking]
  for (const factor of factors) before.push(convolve(before.at(-1)!, factor))
  const after: Float64Array[] = [Float64Array.of(1, ...new Float64Array(N))]
  for (const factor of [...factors].reverse()) after.push(convolve(after.at(-1)!, factor))
  after.reverse()
  const whole = before.at(-1)!
  const X = (unit * whole[N - 1]!) / whole[N]!
  const Q = factors.map((factor, k) => {
    const others = convolve(before[k]!, after[k + 1]!)
    let [sum, weight] = [0, 0]
    for (let n = 0; n <= N; n++) {
      const term = factor[n]! * others[N - n]!
      sum += n * term
      weight += term
    }
    return sum / weight
  })
  const R = Q.reduce((sum, it) => sum + it, 0) / X
  const U = stations.map(({ servers }, k) => (servers === 'delay' ? 0 : (X * demands[k]!) / servers))
  return { X, R, Q, U }
}

/** D^n / Π min(j, c), up to a common factor, from the largest on. */
function stationTerms(demand: number, servers: number | 'delay', N: number): Float64Array {
  const growth = (n: number) => demand / (servers === 'delay' ? n + 1 : Math.min(n + 1, servers))
  let mode = 0
  while (mode < N && growth(mode) > 1) mode++
  const terms = new Float64Array(N + 1)
  terms[mode] = 1
  for (let n = mode; n < N; n++) terms[n + 1] = terms[n]! * growth(n)
  for (let n = mode; n > 0; n--) terms[n - 1] = terms[n]! / growth(n - 1)
  return terms
}

function convolve(a: Float64Array, b: Float64Array): Float64Array {
  const result = new Float64Array(a.length)
  for (let i = 0; i < a.length; i++) {
    if (a[i] === 0) continue
    for (let j = 0; i + j < result.length; j++) result[i + j]! += a[i]! * b[j]!
  }
  const most = result.reduce((x, y) => Math.max(x, y), 0)
  return result.map((value) => value / most)
}

function checkStation({ visits, service, servers }: ClosedStation): void {
  checkRate('stations.visits', visits)
  checkRate('stations.service', service)
  if (servers !== 'delay') checkInteger('stations.servers', servers, 1)
}
