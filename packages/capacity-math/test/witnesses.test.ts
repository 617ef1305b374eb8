import * as queues from '@headrace/capacity-math/queues'
import { expect, it } from 'vitest'
import { stable } from './agreement.ts'
import { formulas } from './formulas.ts'
import { batchWitnesses } from './witnesses/batches.ts'
import { classWitnesses } from './witnesses/classes.ts'
import { lineWitnesses } from './witnesses/lines.ts'
import { networkWitnesses } from './witnesses/networks.ts'
import { timeWitnesses } from './witnesses/times.ts'
import { valueWitnesses } from './witnesses/values.ts'

const exported = Object.keys(formulas)

/** Run by simulation.test.ts and simulation-networks.test.ts. */
const witnessed = Object.keys({
  ...batchWitnesses,
  ...classWitnesses,
  ...lineWitnesses,
  ...networkWitnesses,
  ...timeWitnesses,
  ...valueWitnesses,
})

/** The same value in another form, or the inverse of one; that it is this is a property test or the oracle's. */
const formOf: Readonly<Record<string, string>> = {
  poissonLogPmf: 'poissonPmf',
  poissonLogCdf: 'poissonCdf',
  poissonLogSf: 'poissonSf',
  poissonQuantile: 'poissonCdf',
  poissonIsf: 'poissonSf',
  logErlangB: 'erlangB',
  logErlangC: 'erlangC',
  minServersForBlocking: 'erlangB',
  maxLoadForBlocking: 'erlangB',
  minServersForWait: 'erlangC',
  maxLoadForWait: 'erlangC',
  maxRateForWaitTail: 'mmc',
  maxRateForMeanWait: 'mmc',
  maxRateForResponseTail: 'mmc',
  minServersForWaitTail: 'mmc',
  minServersForMeanWait: 'mmc',
  minServersForResponseTail: 'mmc',
  minCapacity: 'mmckBlocking',
  minServersForAbandonment: 'erlangA',
  minServersForServiceLevel: 'erlangA',
  littlesLawInWindow: 'littlesLaw',
  minBatch: 'batchService',
  safeRetries: 'retryStorm',
}

/** What does not say that it is exact, or is no model of anything that could be simulated. */
const notExact: Readonly<Record<string, string>> = {
  ggc: 'an approximation or a bound, and says so in its kind',
  halfinWhitt: 'the limit of erlangC, which it nears in erlang.test.ts',
  halfinWhittBeta: 'the inverse of that',
  usl: 'a law to fit to measurements',
  fitUsl: 'the fit of it; finds the law that made its points in models.test.ts',
  closedBounds: 'bounds; mva lies between them in models.test.ts',
  dispersionTest: 'chi-squared in the limit; lets Poisson counts pass in estimate.test.ts',
  poissonRateAnytime: 'a bound; never misses oftener than it says in estimate.test.ts',
  trafficEstimator: 'intervals in the limit; hold the truth in estimate.test.ts',
  flowMonitor: 'an identity of counters; beside the ages one by one in the witness of expectedAges',
}

it('no exported function lacks its witness, or the reason why it has none', () => {
  const listed = [...witnessed, ...Object.keys(formOf), ...Object.keys(notExact)]
  expect(listed.toSorted()).toEqual(exported.toSorted())
})

it('whatever is a form of something is one of what has a witness', () => {
  expect(Object.values(formOf).filter((name) => !witnessed.includes(name))).toEqual([])
})

it('what has no witness does not say that it is exact', () => {
  const queue = { lambda: 1, meanService: 0.5, ca2: 2, cs2: 2, servers: 1 }
  for (const method of ['whitt', 'allenCunneen', 'kramerLangenbachBelz', 'kingman'] as const)
    expect(stable(queues.ggc({ ...queue, method })).kind).not.toBe('exact')
})
