import { checkInteger, checkNumber } from '../checks.ts'
import { batchMeans, type Measured } from './batch-means.ts'
import { eventCalendar } from './calendar.ts'
import { type Sampler, seededUniform } from './random.ts'

/** A station: `servers` or 'delay' for no wait, and the share of its output that goes to each station; what is missing to 1 leaves. */
export interface SimulatedStation {
  readonly service: Sampler
  readonly servers: number | 'delay'
  readonly routing: readonly number[]
}

export interface SimulatedNetwork {
  /** Jobs per second that leave, or in a closed network that finish a round: a service at station 0. */
  readonly throughput: Measured
  /** Mean number at each station. */
  readonly L: readonly Measured[]
}

/**
 * Stations that send work to each other, first come first served: the witness of `jackson`, `mva`, `closedNetwork` and `finiteSource`.
 * Give `arrivals` per station for an open network, or `population`, which starts at station 0, for a closed one.
 */
export function simulateNetwork(given: {
  readonly stations: readonly SimulatedStation[]
  readonly arrivals?: readonly (Sampler | null)[]
  readonly population?: number
  /** Events to watch. */
  readonly events: number
  readonly seed: number
}): SimulatedNetwork {
  const { stations, arrivals = [], population = 0, events, seed } = given
  checkInteger('events', events, 1)
  checkNumber('events', events, 1000, 1e9)
  checkInteger('population', population, 0)
  const uniform = seededUniform(seed)
  const calendar = eventCalendar()
  const counts = stations.map(() => 0)
  const open = population === 0
  let now = 0
  let finished = 0
  const startService = (k: number) => calendar.schedule(now + stations[k]!.service(uniform), k)
  const enter = (k: number) => {
    counts[k]! += 1
    const { servers } = stations[k]!
    if (servers === 'delay' || counts[k]! <= servers) startService(k)
  }
  arrivals.forEach((sampler, k) => {
    if (sampler) calendar.schedule(sampler(uniform), -1 - k)
  })
  for (let i = 0; i < population; i++) enter(0)
  const step = () => {
    const { at, what } = calendar.next()
    const before = now
    now = at
    return { before, what }
  }
  const happen = (what: number) => {
    if (what < 0) {
      const k = -1 - what
      calendar.schedule(now + arrivals[k]!(uniform), what)
      enter(k)
      return
    }
    counts[what]! -= 1
    const { servers, routing } = stations[what]!
    if (servers !== 'delay' && counts[what]! >= servers) startService(what)
    const to = route(routing, uniform())
    if (open ? to < 0 : what === 0) finished += 1
    if (to >= 0) enter(to)
  }
  for (let i = 0; i < events / 5; i++) happen(step().what)
  const batches = 30
  const perBatch = Math.floor(events / batches)
  const throughput = batchMeans(batches)
  const lengths = stations.map(() => batchMeans(batches))
  for (let b = 0; b < batches; b++) {
    const start = now
    finished = 0
    const areas = stations.map(() => 0)
    for (let i = 0; i < perBatch; i++) {
      const { before, what } = step()
      counts.forEach((n, k) => {
        areas[k]! += n * (now - before)
      })
      happen(what)
    }
    throughput.add(finished / (now - start))
    areas.forEach((area, k) => {
      lengths[k]!.add(area / (now - start))
    })
  }
  return { throughput: throughput.result(), L: lengths.map((it) => it.result()) }
}

/** The station drawn by `u`, or -1 for out. */
function route(routing: readonly number[], u: number): number {
  let sum = 0
  for (const [k, share] of routing.entries()) {
    sum += share
    if (u < sum) return k
  }
  return -1
}
