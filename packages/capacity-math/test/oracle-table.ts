import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  erlangB,
  erlangC,
  logErlangB,
  logErlangC,
  minServersForBlocking,
  minServersForWait,
  mmc,
  poissonCdf,
  poissonIsf,
  poissonLogCdf,
  poissonLogPmf,
  poissonLogSf,
  poissonPmf,
  poissonQuantile,
  poissonSf,
  type StableQueue,
} from '@headrace/capacity-math'

/** One value computed elsewhere with 40 digits; `expected` is decimal, `relTol` 0 means equal. */
export interface OracleCase {
  readonly fn: string
  readonly args: Readonly<Record<string, number>>
  readonly expected: string
  readonly relTol: number
  readonly stretchTol?: number
  readonly source: string
}

type Arguments = Record<string, number>

function stable(args: Arguments): StableQueue {
  const { lambda, mu, servers = 1 } = args
  const queue = mmc({ lambda: lambda!, mu: mu!, servers })
  if (!queue.stable) throw new Error(`unstable: ${JSON.stringify(args)}`)
  return queue
}

const queueFields: Record<string, (queue: StableQueue, args: Arguments) => number> = {
  pWait: (queue) => queue.pWait,
  L: (queue) => queue.L,
  Lq: (queue) => queue.Lq,
  W: (queue) => queue.W,
  Wq: (queue) => queue.Wq,
  varWq: (queue) => queue.wait.variance,
  waitSf: (queue, { t }) => queue.wait.sf(t!),
  responseSf: (queue, { t }) => queue.response.sf(t!),
  waitQuantile: (queue, { p }) => queue.wait.quantile(p!),
  responseQuantile: (queue, { p }) => queue.response.quantile(p!),
}

/** The oracle's names beside our functions. M/M/1 is M/M/c with one server. */
export const oracleTable: Readonly<Record<string, (args: Arguments) => number>> = {
  poissonPmf: ({ k, lambda }) => poissonPmf(k!, lambda!),
  poissonLogPmf: ({ k, lambda }) => poissonLogPmf(k!, lambda!),
  poissonCdf: ({ k, lambda }) => poissonCdf(k!, lambda!),
  poissonSf: ({ k, lambda }) => poissonSf(k!, lambda!),
  poissonLogCdf: ({ k, lambda }) => poissonLogCdf(k!, lambda!),
  poissonLogSf: ({ k, lambda }) => poissonLogSf(k!, lambda!),
  poissonQuantile: ({ p, lambda }) => poissonQuantile(p!, lambda!),
  poissonIsf: ({ q, lambda }) => poissonIsf(q!, lambda!),
  erlangB: ({ servers, load }) => erlangB({ servers: servers!, load: load! }),
  erlangC: ({ servers, load }) => erlangC({ servers: servers!, load: load! }),
  logErlangB: ({ servers, load }) => logErlangB({ servers: servers!, load: load! }),
  logErlangC: ({ servers, load }) => logErlangC({ servers: servers!, load: load! }),
  'erlangB.minServers': ({ load, blocking }) => minServersForBlocking({ load: load!, blocking: blocking! }),
  'erlangC.minServers': ({ load, pWait }) => minServersForWait({ load: load!, pWait: pWait! }),
  ...Object.fromEntries(
    Object.entries(queueFields).flatMap(([field, read]) =>
      ['mm1', 'mmc'].map((model) => [`${model}.${field}`, (args: Arguments) => read(stable(args), args)]),
    ),
  ),
}

const whole = new URL('../../../../shared/oracle/capacity.json', import.meta.url)
const sample = new URL('./data/capacity-sample.json', import.meta.url)

/** The cases to check: the file that `ORACLE` names, else the whole oracle beside the project, else the sample shipped with it. */
export function oracleCases(): { readonly origin: string; readonly cases: readonly OracleCase[] } {
  const { ORACLE: named } = process.env
  const [origin, path] = named
    ? ['the file that ORACLE names', named]
    : existsSync(whole)
      ? ['the whole oracle', fileURLToPath(whole)]
      : ['the shipped sample', fileURLToPath(sample)]
  const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: OracleCase[] }
  return { origin, cases: cases.filter((it) => it.fn in oracleTable) }
}
