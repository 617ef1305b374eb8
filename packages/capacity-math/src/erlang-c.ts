import { checkNumber, checkProbability, countMax } from './checks.ts'
import { erlangB, logErlangB } from './erlang-b.ts'
import { halfinWhittBeta } from './halfin-whitt.ts'
import { smallestInteger } from './smallest-integer.ts'
import { atMost, waitingMargin } from './ties.ts'
import { zeroBetween } from './zero.ts'

/**
 * Erlang's delay formula: the share of arrivals that must wait because all servers are busy (M/M/c, unlimited waiting room).
 * C(c, a) = c B / (c - a (1 - B)) with B = B(c, a), Erlang's loss formula (A. K. Erlang, 1917).
 * @param queue.servers c, above 0; need not be whole.
 * @param queue.load a, offered load in erlangs, from 0 to below `servers`.
 * @throws RangeError naming `load` when it reaches `servers`: the queue grows without end, and no share describes it.
 */
export function erlangC(queue: { readonly servers: number; readonly load: number }): number {
  const { servers, load } = checkedQueue(queue)
  return delayProbability(servers, load, servers - load)
}

/** ln C(c, a), finite far beyond where {@link erlangC} underflows. `load` must be 1e-300 or more. */
export function logErlangC(queue: { readonly servers: number; readonly load: number }): number {
  const { servers, load } = checkedQueue(queue)
  const blocking = erlangB({ servers, load })
  const spare = servers - load
  // Close to saturation C is close to 1, and ln(1 - (1 - C)) keeps the digits that ln C loses.
  if (2 * spare < servers * blocking) return Math.log1p((-spare * (1 - blocking)) / (spare + load * blocking))
  return logErlangB({ servers, load }) - Math.log((spare + load * blocking) / servers)
}

/** The smallest number of servers with which at most the share `pWait` of the arrivals waits. @param demand.load from 0 to 1e15 erlangs. */
export function minServersForWait(demand: { readonly load: number; readonly pWait: number }): number {
  const { load, pWait } = demand
  checkNumber('load', load, 0, 1e15)
  checkProbability('pWait', pWait)
  const from = Math.floor(load) + 1
  const meets = (servers: number) =>
    atMost(delayProbability(servers, load, servers - load), pWait, servers, () =>
      waitingMargin({ lambda: load, mu: 1, servers }, pWait),
    )
  return smallestInteger(meets, from, staffingGuess(load, pWait, from))
}

/**
 * The offered load, in erlangs, of which exactly the share `pWait` waits: what so many servers carry.
 * @param pool.servers c, from 1 to 1e15; need not be whole.
 */
export function maxLoadForWait(pool: { readonly servers: number; readonly pWait: number }): number {
  const { servers, pWait } = pool
  checkNumber('servers', servers, 1, 1e15)
  checkProbability('pWait', pWait)
  if (servers === 1) return pWait
  const target = Math.log(pWait)
  // In logarithms, so that a small load has all of its digits, too. C ≤ a / c, so that the load is at least c pWait.
  const load = (log: number) => Math.max(1e-300, servers * Math.exp(log))
  const excess = (log: number) => logErlangC({ servers, load: load(log) }) - target
  const full = -(2 ** -52)
  return load(excess(full) <= 0 ? full : zeroBetween(excess, target - 1e-12, full))
}

/** Square-root staffing is a few servers off; one step along the slope of ln C, -(α h + β) / sqrt(a) with α h = (1 - α) / β, mends that. */
function staffingGuess(load: number, pWait: number, from: number): number {
  const beta = halfinWhittBeta(pWait)
  const first = Math.max(from, Math.ceil(load + beta * Math.sqrt(load)))
  if (load === 0) return first
  const slope = ((1 - pWait) / beta + beta) / Math.sqrt(load)
  const value = delayProbability(first, load, first - load)
  return value > 0 ? Math.ceil(first + Math.log(value / pWait) / slope) : first
}

/** C from the spare capacity c - a, for callers that know it more exactly than the difference of two rounded numbers. */
export function delayProbability(servers: number, load: number, spare: number): number {
  // With one server B = a / (1 + a), and C is a itself.
  if (servers === 1) return load
  const blocking = erlangB({ servers, load })
  return (servers * blocking) / (spare + load * blocking)
}

function checkedQueue(queue: { readonly servers: number; readonly load: number }): { servers: number; load: number } {
  const { servers, load } = queue
  checkNumber('servers', servers, Number.MIN_VALUE, countMax)
  checkNumber('load', load, 0, countMax)
  if (load >= servers)
    throw new RangeError(`load must be below servers = ${servers} for a stable queue, received ${load}`)
  return { servers, load }
}
