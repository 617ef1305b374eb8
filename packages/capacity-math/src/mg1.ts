import { approximateQueue } from './approximate-queue.ts'
import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import type { Distribution } from './distribution.ts'
import { md1 } from './md1.ts'
import { erlangService } from './mg1-erlang.ts'
import { hyperexponentialService } from './mg1-hyperexponential.ts'
import type { Population } from './population.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'

/**
 * What is known of the service times, in seconds: their first two moments, or their whole distribution. `hyperexponential` takes
 * `mean1` on average with probability `p`, else `mean2`.
 */
export type ServiceTime =
  | { readonly kind: 'general'; readonly mean: number; readonly scv: number }
  | { readonly kind: 'deterministic'; readonly mean: number }
  | { readonly kind: 'erlang'; readonly mean: number; readonly stages: number }
  | { readonly kind: 'hyperexponential'; readonly p: number; readonly mean1: number; readonly mean2: number }

/** The distributions of a queue whose means are known. */
export interface Mg1Shape {
  readonly wait: Distribution
  readonly response: Distribution
  readonly population: Population
}

/** What the distributions need of the means; `slack` is 1 - ρ with the digits that ρ has lost. */
export interface Mg1Moments {
  readonly lambda: number
  readonly mean: number
  readonly scv: number
  readonly slack: number
  readonly Wq: number
  readonly varWq: number
}

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'service times are independent, of the distribution given',
  'one server, one line, in order of arrival',
  'nobody is refused and nobody gives up',
])

/**
 * M/G/1: one server, any service times. The means need only their scv: Wq = λ s² (1 + cs²) / (2 (1 - ρ)) (F. Pollaczek, 1930;
 * A. Khinchine, 1932). The distributions are exact for `deterministic`, `erlang` and `hyperexponential` service, else approximations.
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function mg1(queue: { readonly lambda: number; readonly service: ServiceTime }): StableQueue | UnstableQueue {
  const { lambda, service } = queue
  checkRate('lambda', lambda)
  const { mean, scv, third } = momentsOf(service)
  if (service.kind === 'deterministic') return md1({ lambda, serviceTime: mean })
  const slack = -differenceFromProduct(lambda, mean, 1)
  const rho = lambda * mean
  if (slack <= 0) return { kind: 'exact', assumptions, stable: false, utilization: rho, throughput: 1 / mean }
  const Wq = (rho * mean * (1 + scv)) / (2 * slack)
  const common = { kind: 'exact' as const, assumptions, lambda, meanService: mean, scv, servers: 1 }
  const whole = approximateQueue({ ...common, utilization: rho, pWait: rho, Wq })
  if (lambda === 0 || service.kind === 'general') return whole
  const moments = { lambda, mean, scv, slack, Wq, varWq: Wq * Wq + (lambda * third) / (3 * slack) }
  const shape =
    service.kind === 'erlang' ? erlangService(moments, service.stages) : hyperexponentialService(moments, service)
  return { ...whole, ...shape }
}

function momentsOf(service: ServiceTime): { mean: number; scv: number; third: number } {
  if (service.kind === 'hyperexponential') {
    const { p, mean1, mean2 } = service
    checkNumber('service.p', p, 0, 1)
    checkNumber('service.mean1', mean1, 1 / magnitudeMax, magnitudeMax)
    checkNumber('service.mean2', mean2, 1 / magnitudeMax, magnitudeMax)
    const mean = p * mean1 + (1 - p) * mean2
    // The variance as the exponentials' own and that between them, so that nothing cancels.
    const between = p * (1 - p) * ((mean1 - mean2) / mean) ** 2
    return { mean, scv: 1 + 2 * between, third: 6 * (p * mean1 ** 3 + (1 - p) * mean2 ** 3) }
  }
  const { kind, mean } = service
  checkNumber('service.mean', mean, 1 / magnitudeMax, magnitudeMax)
  if (kind === 'deterministic') return { mean, scv: 0, third: mean ** 3 }
  if (kind === 'erlang') {
    const { stages } = service
    checkInteger('service.stages', stages, 1)
    checkNumber('service.stages', stages, 1, 1000)
    return { mean, scv: 1 / stages, third: mean ** 3 * (1 + 1 / stages) * (1 + 2 / stages) }
  }
  if (kind !== 'general')
    throw new TypeError(
      `service.kind must be general, deterministic, erlang or hyperexponential, received ${String(kind)}`,
    )
  checkNumber('service.scv', service.scv, 0, 1e6)
  return { mean, scv: service.scv, third: Number.NaN }
}
