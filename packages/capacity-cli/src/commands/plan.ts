import { writeFileSync } from 'node:fs'
import { type PlanInput, plan } from '@headrace/capacity-math/plan'
import { Command } from 'commander'
import { type Answer, numeric, numericList } from '../format.ts'
import { measuredPlan } from '../measured-plan.ts'
import { jsonOf, planText, traceText } from '../plan-text.ts'
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
      const measured = trace && measuredPlan(trace, input)
      const result = measured?.result ?? plan(input)
      if (result.feasible && options.report !== undefined) {
        // Loaded here: the plots are most of what the command brings, and few runs want them.
        const { reportPage } = await import('../report.ts')
        writeFileSync(options.report, reportPage(input, result, measured))
      }
      const text = () => {
        const answered = result.feasible ? planText(input, result, measured) : `no plan: ${result.reason}`
        return measured ? `${traceText(measured)}\n${answered}` : answered
      }
      answer(options.json ? JSON.stringify(jsonOf(input, result, measured)) : text(), result.feasible ? 0 : 1)
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
