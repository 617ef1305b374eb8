import { checkNumber, checkProbability } from './checks.ts'
import { erlangB, logErlangB } from './erlang-b.ts'
import { logPoissonTerm } from './saddle-point.ts'

/**
 * The offered load, in erlangs, at which `servers` turn away exactly the share `blocking`: what a pool without a queue carries.
 * Newton's method in ln a with d ln B / d ln a = c - a (1 - B) (D. L. Jagerman, 1974): the logarithm is concave, so that the
 * steps come from below and do not pass the solution.
 * @param pool.servers c, from 1 to 1e15; need not be whole.
 */
export function maxLoadForBlocking(pool: { readonly servers: number; readonly blocking: number }): number {
  const { servers, blocking } = pool
  checkNumber('servers', servers, 1, 1e15)
  checkProbability('blocking', blocking)
  const target = Math.log(blocking)
  // B ≤ a^c / c!, so that the load is at least this.
  let log = (target - logPoissonTerm(servers, servers) - servers) / servers + Math.log(servers)
  for (let round = 0; round < 100; round++) {
    const load = Math.exp(log)
    const queue = { servers, load }
    const step = (target - logErlangB(queue)) / (servers - load * (1 - erlangB(queue)))
    log += step
    if (!(step > 2 ** -50 * Math.abs(log))) return Math.exp(log)
  }
  return Math.exp(log)
}
