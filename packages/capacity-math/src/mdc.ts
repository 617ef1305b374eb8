import { checkInteger, checkNumber } from './checks.ts'
import { type DeterministicQueue, deterministicQueue } from './deterministic-queue.ts'
import { distribution } from './distribution.ts'
import { type ConstantService, checkConstantService, delayed } from './md1.ts'
import { constantTime, idleQueue } from './no-wait.ts'
import { population } from './population.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'
import { poissonTerm } from './saddle-point.ts'
import { sumFromMode } from './sum-from-mode.ts'

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'every service takes the same time',
  'servers are identical and serve one line in order of arrival',
  'nobody is refused and nobody gives up',
])

/**
 * M/D/c: c servers whose every service takes the same time (C. D. Crommelin, 1932), with the whole wait distribution in the
 * form of G. J. Franx, "A simple solution for the M/D/c waiting time distribution", 2001.
 * @param queue.servers c, an integer from 1 to 10,000; a call takes about 1 ms at 50 and 100 ms at 10,000.
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function mdc(queue: ConstantService & { readonly servers: number }): StableQueue | UnstableQueue {
  const { lambda, serviceTime, servers } = queue
  checkConstantService(queue)
  checkInteger('servers', servers, 1)
  checkNumber('servers', servers, 1, 10_000)
  const load = lambda * serviceTime
  const slack = -differenceFromProduct(lambda, serviceTime, servers) / servers
  const utilization = load / servers
  if (slack <= 0) return { kind: 'exact', assumptions, stable: false, utilization, throughput: servers / serviceTime }
  if (load === 0) return idleQueue(constantTime(serviceTime), assumptions)
  const waiting = deterministicQueue(servers, load, slack)
  const pWait = waiting.withArrivals(load, servers - 1)
  const Lq = waiting.mean
  const Wq = Lq / lambda
  const wait = distribution({
    kind: 'exact',
    mean: Wq,
    // In order of arrival with equal service times, those left waiting arrived during one wait: E Q(Q-1) = λ² E W².
    variance: waiting.secondFactorial / lambda ** 2 - Wq * Wq,
    above0: pWait,
    sf: (t) => waitTail(waiting, servers, load, t / serviceTime),
  })
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization,
    throughput: lambda,
    pWait,
    pBlock: 0,
    pAbandon: 0,
    L: Lq + load,
    Lq,
    W: Wq + serviceTime,
    Wq,
    wait,
    response: delayed(wait, serviceTime),
    population: numberInSystem(waiting, load, Lq + load),
  }
}

/** P(W > y) with y in services: at least k c arrive, counting those left waiting, in the rest of the k-th service. */
function waitTail(waiting: DeterministicQueue, servers: number, load: number, y: number): number {
  const k = Math.floor(y) + 1
  return waiting.withArrivals(load * (k - y), k * servers - 1)
}

function numberInSystem(waiting: DeterministicQueue, load: number, mean: number) {
  return population({
    kind: 'exact',
    mean,
    pn: (n) => sumFromMode((j) => poissonTerm(j, load) * waiting.pn(n - j), load, 0, n),
    sf: (n) => waiting.withArrivals(load, n),
  })
}
