import { approximateQueue } from './approximate-queue.ts'
import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { erlangB } from './erlang-b.ts'
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
 * s_k / (1 - σ_(k-1)) + Σ_(i ≤ k) λ_i E S_i² / (2 (1 - σ_(k-1)) (1 - σ_k)). The means are exact, the distributions approximations;
 * `pWait` is the share that does not begin at once.
 * @returns one queue per class; unstable from the first class on that finds no time left.
 */
export function priorityQueue(queue: {
  readonly classes: readonly PriorityClass[]
  readonly discipline: 'nonpreemptive' | 'preemptive-resume'
}): (StableQueue | UnstableQueue)[] {
  const { classes, discipline } = queue
  checkDiscipline(discipline)
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
 * c servers, one exponential service time, classes of different importance. `nonpreemptive`: Wq of class k is
 * C / (c μ (1 - σ_(k-1)) (1 - σ_k)) with Erlang's C of the whole (R. H. Davis, 1966). `preemptive-resume`: the first k classes see
 * only each other and are M/M/c, so that λ_k Wq of class k is what it adds to their Lq; the time in the line of one that is interrupted
 * counts as well.
 * @param queue.lambdas arrivals per second of each class, the most important first; together below servers × mu.
 * @param queue.discipline 'nonpreemptive' by default.
 */
export function mmcPriorityWaits(queue: {
  readonly lambdas: readonly number[]
  readonly mu: number
  readonly servers: number
  readonly discipline?: 'nonpreemptive' | 'preemptive-resume'
}): number[] {
  const { lambdas, mu, servers, discipline = 'nonpreemptive' } = queue
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  checkDiscipline(discipline)
  for (const lambda of lambdas) checkRate('lambdas', lambda)
  const capacity = servers * mu
  const all = lambdas.reduce((sum, it) => sum + it, 0)
  const whole = erlangC({ servers, load: all / mu })
  let before = 0
  return lambdas.map((lambda) => {
    const others = before
    before += lambda
    const shared = capacity / (capacity - others) / (capacity - before)
    if (discipline === 'nonpreemptive') return whole * shared
    // (Lq - Lq') / λ in two parts, of what changes in Lq = C Λ / (c μ - Λ).
    const more = others === 0 ? 0 : (others * growthOfC(servers, others / mu, before / mu)) / mu / (capacity - others)
    return erlangC({ servers, load: before / mu }) * shared + more
  })
}

/** (C(b) - C(a)) / (b - a), of loads so near each other that the difference would lose its digits the slope in their middle. */
function growthOfC(servers: number, a: number, b: number): number {
  if (b - a > 1e-5 * b) return (erlangC({ servers, load: b }) - erlangC({ servers, load: a })) / (b - a)
  const load = (a + b) / 2
  const blocking = erlangB({ servers, load })
  return erlangC({ servers, load }) * (servers / load - 1 + (1 - blocking) / (servers - load * (1 - blocking)))
}

function checkDiscipline(discipline: string): void {
  if (discipline !== 'nonpreemptive' && discipline !== 'preemptive-resume')
    throw new TypeError(`discipline must be nonpreemptive or preemptive-resume, received ${String(discipline)}`)
}

function checkClass({ lambda, meanService, scv }: PriorityClass): void {
  checkRate('classes.lambda', lambda)
  checkNumber('classes.meanService', meanService, 1 / magnitudeMax, magnitudeMax)
  checkNumber('classes.scv', scv, 0, 1e6)
}
