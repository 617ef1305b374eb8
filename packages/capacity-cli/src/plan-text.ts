import type { NoPlan, Plan, PlanInput } from '@headrace/capacity-math/plan'
import { facts, number, percent, time } from './format.ts'
import type { MeasuredPlan } from './measured-plan.ts'

type Rows = [string, string][]

/** What the trace is, and how it is planned for. */
export function traceText({ trace, replay, result, decidedBy, modelServers }: MeasuredPlan): string {
  const { arrivals, durationSec, atOnce, report } = trace
  const { lambda, dispersion } = report
  const kind = {
    poisson: 'The arrivals may be Poisson, and are planned as such.',
    bursty: `The arrivals are not Poisson: they come in bursts, with ca² = ${number(report.planningCa2)} for a model.`,
    regular: `The arrivals are not Poisson: they are more regular, with ca² = ${number(report.planningCa2)} for a model.`,
    'insufficient data': 'The trace is too short to tell what the arrivals are; the model takes them to be Poisson.',
  }[report.arrivals]
  const windows = dispersion.map(({ window, index }) => `${number(index)} over ${time(window)}`)
  const { servers, late } = replay.enough
  const replayed =
    replay.servers === null
      ? `Replayed as they are, even ${servers} servers leave ${percent(late)} of them late.`
      : `Replayed as they are, they need ${servers} servers (${percent(late)} late).`
  const model = modelServers === null ? 'The model finds no number' : `The model asks for ${modelServers}`
  return [
    `${arrivals} arrivals in ${time(durationSec)}: ${number(lambda.value)} per second (${number(lambda.lower)} to ${number(lambda.upper)}).`,
    `Variance over mean of their counts: ${windows.join(', ')}; of a Poisson process it is 1.`,
    kind,
    ...(atOnce > arrivals / 100
      ? [
          `${atOnce} have the time of another, and are taken to come at once; if the clock is coarse, that asks for too much.`,
        ]
      : []),
    replayed,
    ...(result.feasible ? [`${model}; planned are ${result.servers}, by the ${decidedBy}.`] : []),
  ].join('\n')
}

export function planText(input: PlanInput, result: Plan, measured: MeasuredPlan | null): string {
  const { headroom, retry, hotKey, robust } = result
  const rows: Rows = [
    ['servers', String(result.servers)],
    ['places to wait', String(result.queueBound)],
    ['admit at most', `${result.admissionLimit} at a time, ${number(result.rateLimit)} per second`],
    ...(measured?.decidedBy === 'replay' ? replayProof(measured) : modelProof(input, result)),
    ['busy', percent((input.lambda * input.meanService) / result.servers)],
    ...replayedRows(input, measured),
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

/** That so many are enough and one less is not, and what the model that says so takes for granted. */
function modelProof(input: PlanInput, { certificate, expected }: Plan): Rows {
  const of = promised(input)
  const tried = [certificate.enough, ...(certificate.oneLess ? [certificate.oneLess] : [])]
  return [
    ...tried.map((it): [string, string] => [
      `with ${it.servers} servers`,
      it.quantile === null
        ? 'the queue grows without end'
        : `${percent(it.late)} late, ${percent(it.lost)} turned away, p${input.slo.p * 100} ${time(it.quantile)}`,
    ]),
    ['model', `${expected.kind}:\n${expected.assumptions.join('\n')}`],
    [`${of} p50 / p99 / p99.9`, [0.5, 0.99, 0.999].map((p) => time(expected[of].quantile(p))).join(' / ')],
  ]
}

function replayProof({ replay: { enough, oneLess } }: MeasuredPlan): Rows {
  return [enough, ...(oneLess ? [oneLess] : [])].map((it) => [
    `with ${it.servers} servers`,
    `${percent(it.late)} late, ${percent(it.lost)} turned away, replayed`,
  ])
}

function replayedRows(input: PlanInput, measured: MeasuredPlan | null): Rows {
  if (!measured?.replayed) return []
  const { late, lost, quantiles } = measured.replayed
  const times = ['0.5', '0.99', '0.999'].map((p) => time(quantiles[p]!)).join(' / ')
  return [
    ['replayed with all that', `${percent(late)} late, ${percent(lost)} turned away`],
    [`replayed ${promised(input)} p50 / p99 / p99.9`, times],
  ]
}

function promised({ slo }: PlanInput): 'wait' | 'response' {
  return slo.wait === undefined ? 'response' : 'wait'
}

/** Functions are asked where that is what one would want to read. What a model expects is not called so where it did not decide. */
export function jsonOf(input: PlanInput, result: Plan | NoPlan, measured: MeasuredPlan | null): object {
  const from = measured ? { input, ...measuredJson(measured) } : { input }
  if (!result.feasible) return { ...from, ...result }
  const { expected, recovery, certificate, ...rest } = result
  const of = promised(input)
  const { wait, response, population, ...means } = expected
  const quantiles = Object.fromEntries([0.5, 0.9, 0.99, 0.999, 0.9999].map((p) => [p, expected[of].quantile(p)]))
  const drainAfter10s = recovery.drainAfter(10)
  if (measured?.decidedBy === 'replay') {
    const { enough, oneLess } = measured.replay
    return { ...from, ...rest, certificate: { enough, oneLess }, recovery: { drainAfter10s } }
  }
  return {
    ...from,
    ...rest,
    certificate,
    expected: { ...means, [of]: quantiles },
    recovery: { drainAfter10s, meanTimeToOverflow: recovery.meanTimeToOverflow() },
  }
}

function measuredJson({ trace, replay, decidedBy, modelServers, replayed }: MeasuredPlan): object {
  const { times: _, ...rest } = trace
  return { trace: rest, replay, decidedBy, modelServers, replayed }
}
