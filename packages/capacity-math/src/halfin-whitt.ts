import { checkNumber, checkProbability } from './checks.ts'
import { scaledErfc } from './scaled-erfc.ts'

/**
 * The share that waits in a large M/M/c queue with c = a + β sqrt(a) servers: 1 / (1 + β Φ(β) / φ(β)) (S. Halfin & W. Whitt,
 * "Heavy-traffic limits for queues with many exponential servers", 1981).
 * @param beta above 0, to 1e6.
 */
export function halfinWhitt(beta: number): number {
  checkNumber('beta', beta, Number.MIN_VALUE, 1e6)
  return 1 / (1 + beta * millsRatio(beta))
}

/** The β with which {@link halfinWhitt} is `pWait`: square-root staffing. */
export function halfinWhittBeta(pWait: number): number {
  checkProbability('pWait', pWait)
  const target = Math.log(pWait)
  // Newton's method on the logarithm, which is concave: no step passes the solution but the first.
  let beta = 0.8 * Math.sqrt(-2 * target)
  for (let round = 0; round < 60; round++) {
    const mills = millsRatio(beta)
    const value = 1 / (1 + beta * mills)
    const step = (Math.log(value) - target) / (value * mills + beta)
    const next = Math.max(beta / 8, beta + step)
    if (Math.abs(next - beta) <= 2 ** -52 * next) return next
    beta = next
  }
  return beta
}

/** Φ(β) / φ(β) */
function millsRatio(beta: number): number {
  const whole = Math.sqrt(2 * Math.PI) * Math.exp((beta * beta) / 2)
  return Math.min(Number.MAX_VALUE, whole - Math.sqrt(Math.PI / 2) * scaledErfc(beta / Math.SQRT2))
}
