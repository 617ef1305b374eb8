import { type NoPlan, type Plan, type PlanInput, plan } from '@headrace/capacity-math/plan'
import { faster, fastest, type Replay, replay, run, withinOf } from './replay.ts'
import type { Trace } from './trace.ts'

/** A plan for arrivals that were measured. */
export interface MeasuredPlan {
  /** Where the replay decided, its rate limit, headroom and robust servers are those of the replay, too; `expected` is the model's. */
  readonly result: Plan | NoPlan
  readonly trace: Trace
  readonly replay: Replay
  /** What decides how many servers: the model, or the arrivals themselves where they are not Poisson and need more than it says. */
  readonly decidedBy: 'model' | 'replay'
  /** What the model alone asks for; null where no number is enough for it. */
  readonly modelServers: number | null
  /** What the arrivals, replayed, see of the plan and its bound; null where there is none. */
  readonly replayed: Replayed | null
}

export interface Replayed {
  readonly late: number
  readonly lost: number
  /** The promised time, by share. */
  readonly quantiles: Readonly<Record<string, number>>
}

/**
 * The plan for what the arrivals are: where they may be Poisson that of the model, which then is exact. Else a model knows only their
 * rate and variance, and there are as many servers as it or the replay of the trace needs, whichever are more.
 */
export function measuredPlan(trace: Trace, input: PlanInput): MeasuredPlan {
  const { times } = trace
  const seen = replay(times, input)
  const poisson = trace.report.arrivals === 'poisson'
  const model = plan(input)
  const modelServers = model.feasible ? model.servers : null
  const shared = { trace, replay: seen, modelServers }
  if (poisson || !model.feasible || (seen.servers !== null && seen.servers <= model.servers))
    return { ...shared, result: model, decidedBy: 'model', replayed: replayedBy(times, input, model) }
  if (seen.servers === null) {
    const { servers, late, lost } = seen.enough
    const reason = `replayed, even ${servers} servers leave the share ${late} of the arrivals late and turn ${lost} away`
    const result = { feasible: false as const, bottleneck: 'servers' as const, reason }
    return { ...shared, result, decidedBy: 'replay', replayed: null }
  }
  const larger = plan({ ...input, serversMin: seen.servers })
  const result = larger.feasible ? { ...larger, ...ofReplay(times, input, larger) } : larger
  return { ...shared, result, decidedBy: 'replay', replayed: replayedBy(times, input, result) }
}

function ofReplay(times: readonly number[], input: PlanInput, { servers, headroom, robust }: Plan) {
  const limit = input.lambda * fastest(times, input, servers)
  const more = Math.ceil(servers / 10)
  const perServer = (input.lambda * fastest(times, input, servers + more) - limit) / more
  return {
    rateLimit: limit,
    headroom: { share: limit / input.lambda - 1, saturation: headroom.saturation, perServer },
    robust: robust && { ...robust, servers: robustServers(times, input, robust) },
  }
}

/** For the trace as much faster, and its services as much longer, as the intervals of both allow. */
function robustServers(
  times: readonly number[],
  input: PlanInput,
  { servers, lambda, meanService }: NonNullable<Plan['robust']>,
): number | null {
  const needed = replay(faster(times, lambda / input.lambda), { ...input, lambda, meanService }).servers
  return needed !== null && servers !== null ? Math.max(needed, servers) : null
}

function replayedBy(times: readonly number[], input: PlanInput, result: Plan | NoPlan): Replayed | null {
  if (!result.feasible) return null
  const { servers, admissionLimit: capacity } = result
  // From a thousandth of the promised time to a thousand times as long, in steps of a twentieth.
  const grid = Array.from({ length: 284 }, (_, i) => withinOf(input) * 1e-3 * 1.05 ** i)
  const { tail, lost } = run(times, input, { servers, capacity, within: [withinOf(input), 0, ...grid] })
  const above = tail.slice(1)
  const quantile = (p: number) => [0, ...grid][above.findIndex((share) => share <= 1 - p)] ?? grid.at(-1)!
  return { late: tail[0]!, lost, quantiles: Object.fromEntries([0.5, 0.9, 0.99, 0.999].map((p) => [p, quantile(p)])) }
}
