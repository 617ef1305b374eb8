import { poissonTerm } from './saddle-point.ts'
import { sumFromMode } from './sum-from-mode.ts'

/**
 * v(k) = Σ P(S_n = k) / n over n ≥ 1, where S_n is the surplus after n periods that bring a Poisson number of mean a each and
 * take c > a away. By Spitzer's identity (F. Spitzer, 1956) the whole stationary queue follows from them.
 */
export interface Ladder {
  /** v(k) for k from 1, until it is r^k / k to the last digit, with 1/r = 1 + ζ the real pole; element 0 is 0. */
  readonly values: readonly number[]
  /** Σ v(k) over all k from 1. */
  readonly sum: number
  /** Σ k v(k) */
  readonly first: number
  /** Σ k (k - 1) v(k) */
  readonly second: number
}

export function ladder(c: number, a: number, zeta: number, slack: number): Ladder {
  // Even, so that a quarter of the circle is a whole number of points.
  const length = 2 * Math.ceil(24 + 20 * Math.sqrt(c))
  // How fast P(S_n > 0) falls with n decides whether its sum over n is short.
  const rate = -c * (Math.log1p(-slack) + slack)
  return rate > 0.25 ? overSteps(c, a, zeta, length) : onCircle(c, a, zeta, length)
}

function overSteps(c: number, a: number, zeta: number, length: number): Ladder {
  const values = [0]
  for (let k = 1; k < length; k++) {
    const mode = k / (a * (1 + zeta) - c)
    values.push(sumFromMode((n) => poissonTerm(n * c + k, n * a) / n, mode, 1, Number.POSITIVE_INFINITY))
  }
  return { values, ...moments(values) }
}

/**
 * Near saturation that sum is long, but v(k) are minus the Laurent coefficients of ln(1 - z^-c e^(a(z-1))) between its zeros 1 and
 * 1 + ζ. With these two zeros divided out, the rest has a wide ring without any, and the trapezoid rule on a circle in it is exact.
 */
function onCircle(c: number, a: number, zeta: number, length: number): Ladder {
  const radius = 1 + zeta + 0.8 / Math.sqrt(c)
  const points = 2 * length
  const logs: [number, number][] = []
  let turns = 0
  for (let j = 0; j <= length; j++) {
    const [modulus, angle] = remainder(c, a, zeta, radius, (2 * Math.PI * j) / points)
    const before = logs[j - 1]?.[1] ?? 0
    turns += Math.round((before - angle - turns) / (2 * Math.PI)) * 2 * Math.PI
    logs.push([Math.log(modulus), angle + turns])
  }
  const cosine = Array.from({ length: points }, (_, j) => Math.cos((2 * Math.PI * j) / points))
  const rest = [0]
  for (let k = 1; k < length; k++) {
    let sum = logs[0]![0] + (k % 2 ? -1 : 1) * logs[length]![0]
    for (let j = 1; j < length; j++) {
      const at = (j * k) % points
      // sin θ = cos(θ - π/2), a quarter of the table back.
      sum += 2 * (logs[j]![0] * cosine[at]! + logs[j]![1] * sine(cosine, at))
    }
    rest.push(-(sum / points) * radius ** -k)
  }
  const small = moments(rest)
  return {
    values: rest.map((value, k) => (k === 0 ? 0 : value + (1 + zeta) ** -k / k)),
    sum: Math.log1p(1 / zeta) + small.sum,
    first: 1 / zeta + small.first,
    second: 1 / (zeta * zeta) + small.second,
  }
}

function sine(cosine: readonly number[], at: number): number {
  const quarter = cosine.length / 4
  return cosine[(at + 3 * quarter) % cosine.length]!
}

/** (1 - z^-c e^(a(z-1))) / ((1 - 1/z)(1 - z/(1+ζ))) at z = radius e^iθ, as modulus and angle. */
function remainder(c: number, a: number, zeta: number, radius: number, theta: number): [number, number] {
  const [x, y] = [radius * Math.cos(theta), radius * Math.sin(theta)]
  const size = Math.exp(a * (x - 1) - c * Math.log(radius))
  const phase = a * y - c * theta
  const top = [1 - size * Math.cos(phase), -size * Math.sin(phase)] as const
  const inner = [1 - x / radius ** 2, y / radius ** 2] as const
  const outer = [1 - x / (1 + zeta), -y / (1 + zeta)] as const
  const modulus = Math.hypot(...top) / Math.hypot(...inner) / Math.hypot(...outer)
  const angle = Math.atan2(top[1], top[0]) - Math.atan2(inner[1], inner[0]) - Math.atan2(outer[1], outer[0])
  return [modulus, angle]
}

function moments(values: readonly number[]): { sum: number; first: number; second: number } {
  let [sum, first, second] = [0, 0, 0]
  for (let k = values.length - 1; k > 0; k--) {
    sum += values[k]!
    first += k * values[k]!
    second += k * (k - 1) * values[k]!
  }
  return { sum, first, second }
}
