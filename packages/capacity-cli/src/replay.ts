import { type PlanInput, plan } from '@headrace/capacity-math/plan'
import {
  constantTime,
  erlangTime,
  exponentialTime,
  hyperexponentialTime,
  replayedTime,
  type Sampler,
  simulateQueue,
} from '@headrace/capacity-math/simulate'

/** What a trace itself needs, burst by burst, and not what a formula makes of its variance. */
export interface Replay {
  /** Fewest servers with which its arrivals keep the promise; null where the most there can be are not enough. */
  readonly servers: number | null
  /** What so many do, or the most there can be. */
  readonly enough: Tried
  /** The proof: one less does not keep it; null where there is none less. */
  readonly oneLess: Tried | null
  /** Every number of servers that was tried, the fewest first. */
  readonly tried: readonly Tried[]
}

export interface Tried {
  readonly servers: number
  /** The share that takes longer than promised, and where a loss is promised the share that finds every place taken. */
  readonly late: number
  readonly lost: number
}

const serversMax = 65_536

/** Sends the arrivals of a trace to more and more servers, until the promise is kept: doubling first, then by halves. */
export function replay(times: readonly number[], input: PlanInput): Replay {
  const most = Math.min(serversMax, input.serversMax ?? serversMax)
  const tried = new Map<number, Tried>()
  const attempt = (servers: number) => {
    const result = tried.get(servers) ?? attemptOf(times, input, servers)
    tried.set(servers, result)
    return result
  }
  let [few, many] = [0, 1]
  while (many < most && !keeps(input, attempt(many))) {
    few = many
    many = Math.min(most, 2 * many)
  }
  const found = keeps(input, attempt(many))
  while (found && many - few > 1) {
    const middle = Math.floor((few + many) / 2)
    if (keeps(input, attempt(middle))) many = middle
    else few = middle
  }
  return {
    servers: found ? many : null,
    enough: attempt(many),
    oneLess: found && many > 1 ? attempt(many - 1) : null,
    tried: [...tried.values()].sort((a, b) => a.servers - b.servers),
  }
}

/** How many times as fast the same arrivals may come to so many servers, to about a hundredth, and below their saturation. */
export function fastest(times: readonly number[], input: PlanInput, servers: number): number {
  const kept = (factor: number) => keeps(input, attemptOf(faster(times, factor), input, servers))
  const most = servers / (input.lambda * input.meanService)
  let [low, high] = [1, 2]
  while (high < most && kept(high)) {
    low = high
    high *= 2
  }
  high = Math.min(high, most)
  while (high > 1.01 * low) {
    const middle = Math.sqrt(low * high)
    if (kept(middle)) low = middle
    else high = middle
  }
  return low
}

/** The trace in which all happens so much faster. */
export function faster(times: readonly number[], factor: number): number[] {
  return times.map((at) => at / factor)
}

/** The arrivals of a trace at so many servers, with room for `capacity`: the shares above the times, and turned away. */
export function run(
  times: readonly number[],
  input: PlanInput,
  pool: { readonly servers: number; readonly capacity?: number; readonly within: readonly number[] },
): { readonly tail: readonly number[]; readonly lost: number } {
  const { servers, capacity, within } = pool
  const { waitSf, responseSf, pBlock } = simulateQueue({
    arrivals: replayedTime(gapsOf(times, input.meanService)),
    service: serviceLike(input.meanService, input.cs2 ?? 1),
    servers,
    ...(capacity === undefined ? {} : { capacity }),
    customers: times.length,
    seed: 1,
    times: within,
  })
  const tail = (input.slo.wait === undefined ? responseSf : waitSf).map((it) => it.mean)
  return { tail, lost: pBlock.mean }
}

export function withinOf({ slo }: PlanInput): number {
  return slo.wait ?? slo.response ?? 0
}

function attemptOf(times: readonly number[], input: PlanInput, servers: number): Tried {
  const within = [withinOf(input)]
  if (input.slo.loss === undefined) return { servers, late: run(times, input, { servers, within }).tail[0]!, lost: 0 }
  // With the bound that a plan of so many servers has, and without places where the model sees no plan at all.
  const planned = plan({ ...input, serversMin: servers, serversMax: servers, slo: { ...input.slo, loss: 1 } })
  const capacity = planned.feasible ? planned.admissionLimit : servers
  const { tail, lost } = run(times, input, { servers, capacity, within })
  return { servers, late: tail[0]!, lost }
}

function keeps({ slo }: PlanInput, { late, lost }: Tried): boolean {
  return late <= 1 - slo.p && lost <= (slo.loss ?? 1)
}

/** The simulator lets a fifth as many arrivals pass before it watches: single ones, and then a while in which the system is empty. */
function gapsOf(times: readonly number[], meanService: number): number[] {
  const before = new Array<number>(Math.floor(times.length / 5)).fill(10 * meanService)
  const first = times.at(-1)! - times[0]! + 1000 * meanService
  return [...before, first, ...times.slice(1).map((at, i) => at - times[i]!)]
}

/** A service time with this mean and, nearly, this variability: constant, Erlang, exponential or two exponentials. */
function serviceLike(mean: number, scv: number): Sampler {
  if (scv === 1) return exponentialTime(mean)
  if (scv < 1e-3) return constantTime(mean)
  if (scv < 1) return erlangTime(Math.max(1, Math.round(1 / scv)), mean)
  const share = (1 + Math.sqrt((scv - 1) / (scv + 1))) / 2
  return hyperexponentialTime(share, mean / (2 * share), mean / (2 * (1 - share)))
}
