import { approximateQueue } from './approximate-queue.ts'
import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { erlangC } from './erlang-c.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'

/** Arrivals of one class: rate per second, mean service time in seconds and its squared coefficient of variation. */
export interface PriorityClass {
  readonly lambda: number
  readonly meanService: number
  readonly scv: number
}

const shared: readonly string[] = Object.freeze([
  'arrivals of each class are a Poisson process with a constant rate',
  'service times are independent',
  'within a class the order is that of arrival',
  'nobody is refused and nobody gives up',
])
const waiting: readonly string[] = Object.freeze([...shared, 'a service once begun is not interrupted'])
const resuming: readonly string[] = Object.freeze([
  ...shared,
  'a more important arrival interrupts, and the service interrupted is resumed where it stopped',
])

/**
 * One server and classes of different importance, the first the most important. `nonpreemptive`: the wait of class k is
 * λ E S² / (2 (1 - σ_(k-1)) (1 - σ_k)), σ_k the load of the first k (A. Cobham, 1954). `preemptive-resume`: its response is
 * s_k / (1 - σ_(k-1)) + Σ_(i ≤ k) λ_i E S_i² / (2 (1 - σ_(k-1)) (1 - σ_k)). The means are exact, the distributions approximations.
 * @returns one queue per class; unstable from the first class on that finds no time left.
 */
export function priorityQueue(queue: {
  readonly classes: readonly PriorityClass[]
  readonly discipline: 'nonpreemptive' | 'preemptive-resume'
}): (StableQueue | UnstableQueue)[] {
  const { classes, discipline } = queue
  if (discipline !== 'nonpreemptive' && discipline !== 'preemptive-resume')
    throw new TypeError(`discipline must be nonpreemptive or preemptive-resume, received ${String(discipline)}`)
  const preemptive = discipline === 'preemptive-resume'
  const assumptions = preemptive ? resuming : waiting
  classes.forEach(checkClass)
  // λ E S² / 2 of those whom a class has to wait for: who is in service, or for whom it would be interrupted.
  const residual = classes.map(({ lambda, meanService, scv }) => (lambda * meanService * meanService * (1 + scv)) / 2)
  const load = classes.reduce((sum, it) => sum + it.lambda * it.meanService, 0)
  let sigma = 0
  return classes.map(({ lambda, meanService, scv }, k) => {
    const free = 1 - sigma
    sigma += lambda * meanService
    const own = lambda * meanService
    if (sigma >= 1)
      return {
        kind: 'exact',
        assumptions,
        stable: false,
        utilization: sigma,
        throughput: Math.max(0, free) / meanService,
      }
    const ahead = residual.slice(0, preemptive ? k + 1 : classes.length).reduce((sum, it) => sum + it, 0)
    const inLine = ahead / (free * (1 - sigma))
    const Wq = preemptive ? meanService / free - meanService + inLine : inLine
    const pWait = preemptive ? sigma : Math.min(1, load)
    return approximateQueue({
      kind: 'exact',
      assumptions,
      lambda,
      meanService,
      scv,
      servers: 1,
      utilization: own,
      pWait,
      Wq,
    })
  })
}

/**
 * c servers, one exponential service time, classes of different importance that do not interrupt: Wq of class k is
 * C / (c μ (1 - σ_(k-1)) (1 - σ_k)) with Erlang's C of the whole (R. H. Davis, 1966).
 * @param queue.lambdas arrivals per second of each class, the most important first; together below servers × mu.
 */
export function mmcPriorityWaits(queue: {
  readonly lambdas: readonly number[]
  readonly mu: number
  readonly servers: number
}): number[] {
  const { lambdas, mu, servers } = queue
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  for (const lambda of lambdas) checkRate('lambdas', lambda)
  const capacity = servers * mu
  const all = lambdas.reduce((sum, it) => sum + it, 0)
  const pWait = erlangC({ servers, load: all / mu })
  let before = 0
  return lambdas.map((lambda) => {
    const spareBefore = capacity - before
    before += lambda
    return (pWait * capacity) / spareBefore / (capacity - before)
  })
}

function checkClass({ lambda, meanService, scv }: PriorityClass): void {
  checkRate('classes.lambda', lambda)
  checkNumber('classes.meanService', meanService, 1 / magnitudeMax, magnitudeMax)
  checkNumber('classes.scv', scv, 0, 1e6)
}
