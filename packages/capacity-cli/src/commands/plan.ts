import { writeFileSync } from 'node:fs'
import { type Plan, type PlanInput, plan } from '@headrace/capacity-math/plan'
import { Command } from 'commander'
import { type Answer, facts, number, numeric, numericList, percent, time } from '../format.ts'
import { type Replay, replay } from '../replay.ts'
import { readTrace, type Trace } from '../trace.ts'

interface Options {
  readonly lambda?: number
  readonly trace?: string
  readonly column?: string
  readonly window?: number
  readonly meanService: number
  readonly ca2?: number
  readonly cs2?: number
  readonly wait?: number
  readonly response?: number
  readonly p: number
  readonly loss?: number
  readonly serversMax?: number
  readonly retries?: number[]
  readonly hotKey?: number[]
  readonly confidence?: number
  readonly report?: string
  readonly json?: boolean
}

/** `plan`: from rates, or from a measured trace, and a promise to a system. */
export function planCommand(answer: Answer): Command {
  return new Command('plan')
    .description(
      'How many servers, how long a queue, what to admit: with the proof that one server less is not enough.',
    )
    .option('--lambda <perSec>', 'arrivals per second', numeric('lambda'))
    .option('--trace <file.csv>', 'measured arrivals instead, one row each with its time in seconds')
    .option('--column <name>', 'column of the time; by default the first that begins with at or time')
    .option('--window <seconds>', 'shortest window in which the arrivals of the trace are counted', numeric('window'))
    .requiredOption('--mean-service <seconds>', 'mean time of one service', numeric('mean-service'))
    .option('--ca2 <scv>', 'squared coefficient of variation of the times between arrivals', numeric('ca2'))
    .option('--cs2 <scv>', 'the same of the service times', numeric('cs2'))
    .option('--wait <seconds>', 'promised wait', numeric('wait'))
    .option('--response <seconds>', 'promised response, instead', numeric('response'))
    .option('--p <share>', 'share for which it is promised', numeric('p'), 0.99)
    .option('--loss <share>', 'largest share turned away', numeric('loss'))
    .option('--servers-max <count>', 'most servers there can be', numeric('servers-max'))
    .option('--retries <timeout,count>', 'clients retry so often after a timeout in seconds', numericList('retries', 2))
    .option('--hot-key <keys,s,hold>', 'Zipf keys, each held for so many seconds by a write', numericList('hot-key', 3))
    .option('--confidence <share>', 'with --trace: also plan for what the trace leaves open', numeric('confidence'))
    .option('--report <file.html>', 'write a page with plots')
    .option('--json', 'print JSON')
    .action(async (options: Options) => {
      const trace = options.trace === undefined ? null : await readTrace(options.trace, traceOptions(options))
      const input = inputOf(options, trace)
      const result = plan(input)
      const replayed = trace ? replay(trace.times, input) : null
      if (result.feasible && options.report !== undefined) {
        // Loaded here: the plots are most of what the command brings, and few runs want them.
        const { reportPage } = await import('../report.ts')
        writeFileSync(options.report, reportPage(input, result))
      }
      const code = result.feasible ? 0 : 1
      if (options.json) answer(JSON.stringify({ input, ...traceJson(trace, replayed), ...jsonOf(result, input) }), code)
      else {
        const text = result.feasible ? planText(input, result) : `no plan: ${result.reason}`
        const planned = result.feasible ? result.servers : null
        answer([...(trace && replayed ? [traceText(trace, replayed, planned)] : []), text].join('\n'), code)
      }
    })
}

function traceOptions({ column, window, confidence }: Options) {
  return {
    ...(column === undefined ? {} : { column }),
    ...(window === undefined ? {} : { windowSec: window }),
    ...(confidence === undefined ? {} : { confidence }),
  }
}

function inputOf(options: Options, trace: Trace | null): PlanInput {
  const { meanService, cs2, wait, response, p, loss, serversMax, retries, hotKey, confidence } = options
  if ((options.lambda === undefined) === (trace === null)) throw new RangeError('give either --lambda or --trace')
  const ca2 = options.ca2 ?? trace?.report.planningCa2
  return {
    lambda: options.lambda ?? trace!.report.lambda.value,
    meanService,
    ...(ca2 === undefined ? {} : { ca2 }),
    ...(cs2 === undefined ? {} : { cs2 }),
    slo: {
      p,
      ...(wait === undefined ? {} : { wait }),
      ...(response === undefined ? {} : { response }),
      ...(loss === undefined ? {} : { loss }),
    },
    ...(serversMax === undefined ? {} : { serversMax }),
    ...(retries === undefined ? {} : { retries: { timeout: retries[0]!, maxRetries: retries[1]! } }),
    ...(hotKey === undefined ? {} : { hotKey: { keys: hotKey[0]!, s: hotKey[1]!, hold: hotKey[2]! } }),
    ...(confidence === undefined || trace === null
      ? {}
      : { observed: { arrivals: trace.arrivals, services: trace.arrivals, confidence } }),
  }
}

function traceJson(trace: Trace | null, replayed: Replay | null): object {
  if (!trace) return {}
  const { times: _, ...rest } = trace
  return { trace: rest, replay: replayed }
}

function traceText({ arrivals, durationSec, report }: Trace, replayed: Replay, planned: number | null): string {
  const { lambda, dispersion } = report
  const model = {
    poisson: 'The arrivals may be Poisson, and are planned as such.',
    bursty: `The arrivals are not Poisson: they come in bursts, and are planned as such, with ca² = ${number(report.planningCa2)}.`,
    regular: `The arrivals are not Poisson: they are more regular, and are planned as such, with ca² = ${number(report.planningCa2)}.`,
    'insufficient data': 'The trace is too short to tell what the arrivals are; Poisson is assumed.',
  }[report.arrivals]
  const windows = dispersion.map(({ window, index }) => `${number(index)} over ${time(window)}`)
  return [
    `${arrivals} arrivals in ${time(durationSec)}: ${number(lambda.value)} per second (${number(lambda.lower)} to ${number(lambda.upper)}).`,
    `Variance over mean of their counts: ${windows.join(', ')}; of a Poisson process it is 1.`,
    model,
    replayed.servers === null
      ? `Replayed as it is, even the most servers leave ${percent(replayed.late)} late.`
      : `Replayed as it is, the trace keeps the promise with ${replayed.servers} servers (${percent(replayed.late)} late).`,
    planned !== null && (replayed.servers ?? Number.POSITIVE_INFINITY) > planned
      ? 'What follows is a model that knows only rate and variance, and is too small for these bursts: take the replay.'
      : 'What follows is a model that knows only rate and variance.',
  ].join('\n')
}

function planText(input: PlanInput, result: Plan): string {
  const { certificate, headroom, expected, retry, hotKey, robust } = result
  const less = certificate.oneLess
  const of = input.slo.wait === undefined ? 'response' : 'wait'
  const rows: [string, string][] = [
    ['servers', String(result.servers)],
    ['places to wait', String(result.queueBound)],
    ['admit at most', `${result.admissionLimit} at a time, ${number(result.rateLimit)} per second`],
    ['model', `${expected.kind}:\n${expected.assumptions.join('\n')}`],
    ['busy', percent(expected.utilization)],
    [`${of} p50 / p99 / p99.9`, [0.5, 0.99, 0.999].map((p) => time(expected[of].quantile(p))).join(' / ')],
    [
      `with ${certificate.enough.servers} servers`,
      `${percent(certificate.enough.late)} late, p${input.slo.p * 100} ${time(certificate.enough.quantile ?? 0)}`,
    ],
    ...(less
      ? [
          [
            `with ${less.servers} servers`,
            less.quantile === null
              ? 'the queue grows without end'
              : `${percent(less.late)} late, ${percent(less.lost)} turned away, p${input.slo.p * 100} ${time(less.quantile)}`,
          ] as [string, string],
        ]
      : []),
    [
      'headroom',
      `${percent(headroom.share)} more, ${number(headroom.perServer)} per second with each server, unstable from ${number(headroom.saturation)}`,
    ],
    ['after 10 s of outage', `a full queue is gone in ${time(result.recovery.drainAfter(10).mean)}`],
  ]
  if (retry)
    rows.push([
      'retries',
      `${retry.verdict}; safe below ${number(retry.safeBelow)} requests per second, no good state above ${number(retry.collapseAt)}; ${retry.safeRetries} retries are always safe`,
    ])
  if (hotKey)
    rows.push([
      'hottest key',
      `${percent(hotKey.share)} of the writes, allows ${number(hotKey.limit)} in all per second`,
    ])
  if (robust)
    rows.push([
      'for all that was measured',
      robust.servers === null
        ? 'no number of servers is enough'
        : `${robust.servers} servers (up to ${number(robust.lambda)} per second of ${time(robust.meanService)})`,
    ])
  rows.push(['gives out first', result.bottleneck])
  return facts(rows)
}

/** Functions are asked where that is what one would want to read. */
function jsonOf(result: ReturnType<typeof plan>, input: PlanInput): object {
  if (!result.feasible) return result
  const { expected, recovery, ...rest } = result
  const of = input.slo.wait === undefined ? 'response' : 'wait'
  const { wait, response, population, ...means } = expected
  const quantiles = Object.fromEntries([0.5, 0.9, 0.99, 0.999, 0.9999].map((p) => [p, expected[of].quantile(p)]))
  return { ...rest, expected: { ...means, [of]: quantiles }, recovery: { drainAfter10s: recovery.drainAfter(10) } }
}
