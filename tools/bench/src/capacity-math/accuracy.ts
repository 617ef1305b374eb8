import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { poissonCdf, poissonPmf, poissonQuantile } from '@headrace/capacity-math'
import type { Measurement } from '../bench.ts'

interface PoissonFunctions {
  readonly pmf: (k: number, lambda: number) => number
  readonly cdf: (k: number, lambda: number) => number
  readonly quantile?: (p: number, lambda: number) => number
  /** It is not asked beyond, where one call would take minutes. */
  readonly kMax?: number
}

interface Stdlib {
  pmf(k: number, lambda: number): number
  cdf(k: number, lambda: number): number
  quantile(p: number, lambda: number): number
}

interface R {
  dpois(k: number, lambda: number): number
  ppois(k: number, lambda: number): number
  qpois(p: number, lambda: number): number
}

// They have no types, or none that TypeScript 7 reads.
const require = createRequire(import.meta.url)
const stdlib = require('@stdlib/stats-base-dists-poisson') as Stdlib
const { jStat } = require('jstat') as { jStat: { poisson: Pick<Stdlib, 'pmf' | 'cdf'> & { pdf: Stdlib['pmf'] } } }
const r = require('lib-r-math.js') as R

/** What a user of npm would take instead. */
export const peerFunctions: Readonly<Record<string, PoissonFunctions>> = {
  '@stdlib': {
    pmf: (k, m) => stdlib.pmf(k, m),
    cdf: (k, m) => stdlib.cdf(k, m),
    quantile: (p, m) => stdlib.quantile(p, m),
  },
  'lib-r-math.js': { pmf: (k, m) => r.dpois(k, m), cdf: (k, m) => r.ppois(k, m), quantile: (p, m) => r.qpois(p, m) },
  jstat: { pmf: (k, m) => jStat.poisson.pdf(k, m), cdf: (k, m) => jStat.poisson.cdf(k, m), kMax: 5_000 },
}

export const poissonFunctions = ['poissonPmf', 'poissonCdf', 'poissonQuantile'] as const
export type PoissonFunction = (typeof poissonFunctions)[number]

export const errorMetrics = { maxRelativeError: '', wrongShare: '', cases: '' }

interface OracleCase {
  readonly fn: string
  readonly args: Readonly<Record<string, number>>
  readonly expected: string
}

// The whole oracle beside the project, where there is one, else the sample that the package ships.
const whole = new URL('../../../../../shared/oracle/capacity.json', import.meta.url)
const sample = new URL('../../../../packages/capacity-math/test/data/capacity-sample.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(existsSync(whole) ? whole : sample, 'utf8')) as { cases: OracleCase[] }

// What a double of that size cannot hold is not asked for; every right value has ten digits at the least.
const wrongFrom = 1e-10

/** Worst relative error of one function over the values of 40 digits, and the share of them that is wrong from the tenth digit on. */
export function errors(fn: PoissonFunction, who: string): Measurement {
  const mine = { pmf: poissonPmf, cdf: poissonCdf, quantile: poissonQuantile }
  const functions: PoissonFunctions = who === 'ours' ? mine : peerFunctions[who]!
  let [worst, wrong, count] = [0, 0, 0]
  for (const { args, expected } of cases.filter((it) => it.fn === fn)) {
    const { k = 0, p = 0, lambda = 0 } = args
    if (k > (functions.kMax ?? Number.POSITIVE_INFINITY)) continue
    const got = attempt(() =>
      fn === 'poissonPmf'
        ? functions.pmf(k, lambda)
        : fn === 'poissonCdf'
          ? functions.cdf(k, lambda)
          : functions.quantile?.(p, lambda),
    )
    if (got === undefined) continue
    const wanted = Number(expected)
    const error = got === wanted ? 0 : Math.min(1, Math.abs(got / wanted - 1))
    count += 1
    worst = Math.max(worst, Number.isNaN(error) ? 1 : error)
    wrong += Number(!(error <= wrongFrom))
  }
  return { maxRelativeError: worst, wrongShare: count === 0 ? 1 : wrong / count, cases: count }
}

/** A throw for arguments that are in range is as wrong as a value can be. */
function attempt(run: () => number | undefined): number | undefined {
  try {
    return run()
  } catch {
    return Number.NaN
  }
}
