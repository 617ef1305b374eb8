import { checkInteger, checkNumber } from './checks.ts'

export interface PowerOfD {
  /** Mean time in the system, in units of the mean service time. */
  readonly meanResponse: number
  /** The share of servers with at least `n` in them: ρ^((d^n - 1) / (d - 1)). */
  shareWithAtLeast(n: number): number
}

/**
 * The law of d choices: of many servers each arrival joins the shortest of d taken at random; Σ ρ^((d^i - d) / (d - 1)) over i ≥ 1
 * (M. Mitzenmacher, 1996; N. D. Vvedenskaya et al., 1996). With d = 1 it is M/M/1; two choices already fall doubly exponentially.
 * @param choice.rho load per server, from 0 to below 1. @param choice.d an integer from 1.
 */
export function powerOfD(choice: { readonly rho: number; readonly d: number }): PowerOfD {
  const { rho, d } = choice
  checkNumber('rho', rho, 0, 1)
  if (rho === 1) throw new RangeError('rho must be below 1, received 1')
  checkInteger('d', d, 1)
  let meanResponse = 1 / (1 - rho)
  if (d > 1) {
    meanResponse = 0
    for (let exponent = 0, term = 1; term > meanResponse * 2 ** -54; exponent = d * (exponent + 1)) {
      term = rho ** exponent
      meanResponse += term
    }
  }
  return {
    meanResponse,
    shareWithAtLeast(n) {
      checkInteger('n', n, 0)
      return d === 1 ? rho ** n : rho ** ((d ** n - 1) / (d - 1))
    },
  }
}
