import { checkNumber, checkProbability, countMax } from './checks.ts'
import { above, below } from './gamma-ratio.ts'
import { logPoissonTerm, poissonTerm } from './saddle-point.ts'
import { smallestInteger } from './smallest-integer.ts'
import { atMost, blockingMargin } from './ties.ts'

/**
 * Erlang's loss formula: the share of arrivals that find all servers busy and are turned away (M/G/c/c, no waiting room).
 * B(c, a) = (a^c / c!) / Σ_{k ≤ c} a^k / k! (A. K. Erlang, 1917), evaluated as a^c e^-a / Γ(c+1, a), which also has a
 * meaning between integers (D. L. Jagerman, "Some properties of the Erlang loss function", 1974).
 * @param queue.servers c, from 0 to 2^53 - 1; need not be whole.
 * @param queue.load a, offered load in erlangs: arrival rate × mean service time; may exceed `servers`.
 */
export function erlangB(queue: { readonly servers: number; readonly load: number }): number {
  const { servers, load } = checkedQueue(queue)
  if (load === 0) return servers === 0 ? 1 : 0
  if (load >= servers + 1) return 1 / below(servers, load)
  const term = poissonTerm(servers, load)
  return term / (1 - term * above(servers, load))
}

/** ln B(c, a), finite far beyond where {@link erlangB} underflows. `load` must be 1e-300 or more. */
export function logErlangB(queue: { readonly servers: number; readonly load: number }): number {
  const { servers, load } = checkedQueue(queue)
  checkNumber('load', load, 1e-300, countMax)
  if (load >= servers + 1) return -Math.log(below(servers, load))
  return logPoissonTerm(servers, load) - Math.log1p(-poissonTerm(servers, load) * above(servers, load))
}

/** The smallest number of servers that turns away at most the share `blocking` of the arrivals. @param demand.load from 0 to 1e15 erlangs. */
export function minServersForBlocking(demand: { readonly load: number; readonly blocking: number }): number {
  const { load, blocking } = demand
  checkNumber('load', load, 0, 1e15)
  checkProbability('blocking', blocking)
  const meets = (servers: number) =>
    atMost(erlangB({ servers, load }), blocking, servers, () =>
      blockingMargin({ lambda: load, mu: 1, servers, capacity: servers }, blocking),
    )
  return smallestInteger(meets, 0, load * (1 - blocking))
}

function checkedQueue(queue: { readonly servers: number; readonly load: number }): { servers: number; load: number } {
  const { servers, load } = queue
  checkNumber('servers', servers, 0, countMax)
  checkNumber('load', load, 0, countMax)
  return { servers, load }
}
