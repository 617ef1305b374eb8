import type { Mg1Moments, Mg1Shape } from './mg1.ts'
import { population } from './population.ts'
import { stageMixture } from './stage-mixture.ts'
import { zeroBetween } from './zero.ts'

/**
 * M/E_k/1 counted in stages, of which each arrival brings k: R π(j+1) = λ (π(j) + … + π(j-k+1)) for the stages j in the system, R the
 * rate of a stage (Kleinrock, vol. 1, 4.3). All terms are positive, and from some j on π is a power. The wait is that many stages.
 */
export function erlangService(queue: Mg1Moments, k: number): Mg1Shape {
  const { lambda, mean, slack, Wq, varWq, scv } = queue
  const rate = k / mean
  const { exceeds, last, zeta } = stagesInSystem(lambda / rate, slack, k)
  // From `last` on P(J > j) is a power, and the sum over it one exponential. P(Poisson(y) ≤ last) is nothing from here on.
  const beyond = 2 * (last + k) + 200
  const tailFrom = (shift: number) => (y: number) =>
    Math.exp(Math.log(exceeds(last)) + (last + shift) * Math.log1p(zeta) - (y * zeta) / (1 + zeta))
  const ratio = exceeds(k + 1) / exceeds(k)
  const most = Number.POSITIVE_INFINITY
  return {
    wait: stageMixture({
      rate,
      exceeds,
      most,
      ratio,
      mean: Wq,
      variance: varWq,
      far: { beyond, tail: tailFrom(0) },
    }),
    response: stageMixture({
      rate,
      exceeds: (i) => (i < k ? 1 : exceeds(i - k)),
      most,
      ratio,
      mean: Wq + mean,
      variance: varWq + scv * mean * mean,
      far: { beyond, tail: tailFrom(k) },
    }),
    population: population({
      kind: 'exact',
      mean: lambda * (Wq + mean),
      pn: (n) => (n === 0 ? slack : exceeds((n - 1) * k) - exceeds(n * k)),
      sf: (n) => exceeds(n * k),
    }),
  }
}

/** P(more than j stages are in the system), and from which j on it falls as (1+ζ)^-j. */
function stagesInSystem(
  perStage: number,
  slack: number,
  k: number,
): { exceeds: (j: number) => number; last: number; zeta: number } {
  const zeta = decay(perStage, slack, k)
  const states = [slack]
  // Until the ratio of two neighbours is that of the power, to the last digits and for a whole batch of stages.
  let steady = 0
  while (steady <= k && states.length < 200 * k + 1000) {
    let window = 0
    for (let i = Math.max(0, states.length - k); i < states.length; i++) window += states[i]!
    const next = perStage * window
    steady = Math.abs((next * (1 + zeta)) / states.at(-1)! - 1) < 4e-16 ? steady + 1 : 0
    states.push(next)
  }
  const last = states.length - 1
  const tails = [states[last]! / zeta]
  for (let j = last; j > 0; j--) tails.push(tails.at(-1)! + states[j]!)
  tails.reverse()
  const exceeds = (j: number) => (j <= last ? tails[j]! : tails[last]! * Math.exp((last - j) * Math.log1p(zeta)))
  return { exceeds, last, zeta }
}

/** ζ with Σ_(i ≤ k) (1+ζ)^i = R / λ, that is Σ ((1+ζ)^i - 1) = k slack / ρ: π falls as (1+ζ)^-j. */
function decay(perStage: number, slack: number, k: number): number {
  const surplus = (zeta: number) => {
    const log = Math.log1p(zeta)
    let sum = 0
    for (let i = 1; i <= k; i++) sum += Math.expm1(i * log)
    return sum - slack / perStage
  }
  // Each term is ζ i or more, and at most the last, which is at most all of them together.
  const whole = slack / perStage
  const low = Math.expm1(Math.log1p(whole / k) / k)
  const high = Math.min((2 * whole) / k / (k + 1), Math.expm1(Math.log1p(whole) / k))
  return zeroBetween(surplus, low * (1 - 1e-9), high * (1 + 1e-9))
}
