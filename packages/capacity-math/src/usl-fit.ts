import { checkNumber, magnitudeMax } from './checks.ts'
import { solveLinear } from './linear-system.ts'
import type { UslParameters } from './usl.ts'

/** What was measured: `throughput` per second with `concurrency` workers. */
export interface UslPoint {
  readonly concurrency: number
  readonly throughput: number
}

export interface UslFit extends UslParameters {
  /** Measured less fitted throughput, point by point. */
  readonly residuals: readonly number[]
  /** Sum of their squares. */
  readonly rss: number
  /** Share of the variance that the law explains; 1 where all throughputs are equal and met. */
  readonly rSquared: number
}

/**
 * The USL through measured points, by least squares in the throughput: Gauss and Newton from the fit of N/X, which is linear, with
 * damping (D. W. Marquardt, 1963).
 * @param points at least three, with three or more different concurrencies from 1; three are met exactly.
 * @param options.bounds 'physical' (the default) keeps σ and κ in [0, 1]; 'none' lets noise make them negative.
 */
export function fitUsl(points: readonly UslPoint[], options: { readonly bounds?: 'physical' | 'none' } = {}): UslFit {
  const { bounds = 'physical' } = options
  if (bounds !== 'physical' && bounds !== 'none')
    throw new TypeError(`bounds must be physical or none, received ${String(bounds)}`)
  checkPoints(points)
  const free = minimize(points, [true, true])
  if (bounds === 'none' || isPhysical(free)) return summary(points, free)
  // The best point of the box lies on its border: the fits with σ or κ or both held at 0 are all there is, as σ > 1 is no slowdown
  // that data of a system can show before κ does.
  const onBorder = [minimize(points, [true, false]), minimize(points, [false, true]), minimize(points, [false, false])]
  const best = onBorder.filter(isPhysical).sort((a, b) => cost(points, a) - cost(points, b))[0]
  return summary(points, best ?? onBorder[2]!)
}

type Triple = readonly [lambda: number, sigma: number, kappa: number]

function isPhysical([, sigma, kappa]: Triple): boolean {
  return sigma >= 0 && sigma <= 1 && kappa >= 0 && kappa <= 1
}

function slowdown([, sigma, kappa]: Triple, n: number): number {
  return 1 + sigma * (n - 1) + kappa * n * (n - 1)
}

function cost(points: readonly UslPoint[], at: Triple): number {
  let sum = 0
  for (const { concurrency: n, throughput: x } of points) sum += (x - (at[0] * n) / slowdown(at, n)) ** 2
  return sum
}

/** @param vary whether σ and κ are fitted; one that is not is 0. */
function minimize(points: readonly UslPoint[], vary: readonly [boolean, boolean]): Triple {
  let at = start(points, vary)
  let least = cost(points, at)
  let damping = 1e-3
  for (let round = 0; round < 300; round++) {
    const step = dampedStep(points, at, vary, damping)
    const next: Triple = [at[0] + step[0], at[1] + step[1], at[2] + step[2]]
    const value = cost(points, next)
    const small = Math.abs(step[0] / at[0]) + Math.abs(step[1]) + Math.abs(step[2]) < 1e-14
    if (value <= least) {
      ;[at, least] = [next, value]
      damping = Math.max(damping / 10, 1e-15)
    } else damping = Math.min(damping * 10, 1e15)
    if (small) break
  }
  return at
}

function start(points: readonly UslPoint[], [sigma, kappa]: readonly [boolean, boolean]): Triple {
  // N/X = (1 + σ(N-1) + κN(N-1)) / λ, linear in 1/λ, σ/λ and κ/λ.
  const rows = points.map(({ concurrency: n }) => [1, sigma ? n - 1 : 0, kappa ? n * (n - 1) : 0])
  const [a, b, c] = leastSquares(
    rows,
    points.map(({ concurrency: n, throughput: x }) => n / x),
    0,
  )
  return a! > 0 ? [1 / a!, b! / a!, c! / a!] : [points[0]!.throughput / points[0]!.concurrency, 0, 0]
}

function dampedStep(
  points: readonly UslPoint[],
  at: Triple,
  vary: readonly [boolean, boolean],
  damping: number,
): Triple {
  const rows: number[][] = []
  const misses: number[] = []
  for (const { concurrency: n, throughput: x } of points) {
    const slow = slowdown(at, n)
    const value = (at[0] * n) / slow
    rows.push([n / slow, vary[0] ? (-value * (n - 1)) / slow : 0, vary[1] ? (-value * n * (n - 1)) / slow : 0])
    misses.push(x - value)
  }
  const [a, b, c] = leastSquares(rows, misses, damping)
  return [a!, b!, c!]
}

/** Normal equations with each unknown scaled to the size of its column; one without a column is 0. */
function leastSquares(rows: readonly (readonly number[])[], values: readonly number[], damping: number): number[] {
  const size = [0, 1, 2].map((j) => Math.hypot(...rows.map((row) => row[j]!)) || 1)
  const matrix = size.map((sj, j) =>
    size.map((sk, k) => {
      const sum = rows.reduce((total, row) => total + (row[j]! / sj) * (row[k]! / sk), 0)
      return j === k ? (sum || 1) * (1 + damping) : sum
    }),
  )
  const right = size.map((sj, j) => rows.reduce((total, row, i) => total + (row[j]! / sj) * values[i]!, 0))
  return solveLinear(matrix, right).map((value, j) => value / size[j]!)
}

function summary(points: readonly UslPoint[], at: Triple): UslFit {
  const residuals = points.map(({ concurrency: n, throughput: x }) => x - (at[0] * n) / slowdown(at, n))
  const rss = residuals.reduce((sum, it) => sum + it * it, 0)
  const mean = points.reduce((sum, it) => sum + it.throughput, 0) / points.length
  const all = points.reduce((sum, it) => sum + (it.throughput - mean) ** 2, 0)
  return {
    lambda: at[0],
    sigma: at[1],
    kappa: at[2],
    residuals,
    rss,
    rSquared: all === 0 ? Number(rss === 0) : 1 - rss / all,
  }
}

function checkPoints(points: readonly UslPoint[]): void {
  for (const { concurrency, throughput } of points) {
    checkNumber('concurrency', concurrency, 1, 1e9)
    checkNumber('throughput', throughput, 1 / magnitudeMax, magnitudeMax)
  }
  if (points.length < 3) throw new RangeError(`points must have 3 entries or more, received ${points.length}`)
  if (new Set(points.map((it) => it.concurrency)).size < 3)
    throw new RangeError('points must have 3 different concurrencies or more')
}
