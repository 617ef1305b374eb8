import { type Random, randomBelow, seededRandom } from '@headrace/core'
import { type Balancer, type BalancerOptions, createBalancer } from '../balancer.ts'
import { createLine } from '../line.ts'
import { centralQueue } from './central-queue.ts'
import { exponential, lognormal, zipf } from './draws.ts'
import { eventHeap } from './event-heap.ts'
import { fleetOf } from './fleet.ts'
import { keyOverlaps } from './key-overlaps.ts'
import { planOf, type Scenario } from './scenario.ts'
import { createServer, type Request, type Server, type SimEvent } from './server.ts'
import { simClock } from './sim-clock.ts'
import { createTally, type SimulationResult } from './tally.ts'

/** Who distributes: a balancer for each dispatcher, made with these options, or the ideal that none can have. */
export type Contestant = 'central-queue' | Omit<BalancerOptions, 'clock' | 'random' | 'observe'>

// Beyond it the run would only show how long it went on.
const lineMax = 2_500
// What has not been answered this long after the last arrival never will be.
const drainMs = 120_000

/**
 * Runs a scenario in virtual time. The balancers are real ones, with the clock and the random numbers of the simulation; the
 * same scenario, contestant and seed give the same result, bit for bit, on the same version of Node. Arrivals, work and
 * the fate of the endpoints are the same for all contestants.
 * @throws TypeError or RangeError that names the field of a bad scenario.
 */
export async function simulate(
  scenario: Scenario,
  contestant: Contestant,
  { seed = 1 }: { readonly seed?: number | undefined } = {},
): Promise<SimulationResult> {
  const plan = planOf(scenario)
  const { requests, warmUpRequests, deadlineMs, rttMs } = plan
  const events = eventHeap<SimEvent>()
  const clock = simClock(events)
  const stream = streamsOf(seed)
  const tally = createTally(requests)
  const arrivals = stream()
  const works = stream()
  const keyDraws = stream()
  const drawKey = plan.keys && zipf(plan.keys.count, plan.keys.exponent)
  const overlaps = keyOverlaps()
  const { meanMs, cv2 } = plan
  const drawWork =
    plan.distribution === 'exponential' ? () => exponential(works, meanMs) : () => lognormal(works, meanMs, cv2)
  let arrived = 0
  let open = 0
  let unstable = false
  let countsFromMs = 0
  let lastArrivalMs = 0

  const isCentral = contestant === 'central-queue'
  const servers = plan.endpoints.map((endpoint) =>
    createServer(endpoint, plan, events, stream(), (_, request, outcome) => {
      events.add(events.atMs + (isCentral ? rttMs : rttMs / 2), () => answer(request, outcome))
      central?.freed()
    }),
  )
  const places = new Map(servers.map((server, index) => [server.id, index]))
  const central = isCentral ? centralQueue(servers, send) : undefined
  const fleet = fleetOf(plan)
  const balancers: Balancer[] = isCentral
    ? []
    : Array.from({ length: plan.dispatchers }, () =>
        createBalancer(fleet.discovery, { ...contestant, clock, random: stream() }),
      )

  const lines = balancers.map(() => createLine())
  const holdsBack = !isCentral && contestant.policy?.holdsBack === true

  function send(request: Request, server: Server): void {
    tally.chose(places.get(server.id)!)
    if (request.counts) server.sent++
    if (server.waiting > lineMax) unstable = true
    if (isCentral) server.reach(request)
    else events.add(events.atMs + rttMs / 2, () => server.reach(request))
  }

  function answer(request: Request, outcome: 'success' | 'failure'): void {
    if (!request.settle) return
    request.settle(outcome)
    request.settle = null
    open--
    if (!request.counts) return
    if (outcome === 'success') tally.answered(events.atMs - request.arrivedMs)
    else tally.failed()
  }

  function giveUp(request: Request): void {
    if (!request.settle) return
    request.settle('failure')
    request.settle = null
    open--
    if (request.counts) tally.late()
  }

  function arrive(): void {
    const counts = arrived >= warmUpRequests
    if (arrived === warmUpRequests) countsFromMs = events.atMs
    lastArrivalMs = events.atMs
    const request: Request = {
      arrivedMs: events.atMs,
      workMs: drawWork(),
      counts,
      key: drawKey && `key ${drawKey(keyDraws)}`,
      settle: () => {},
    }
    open++
    if (central) central.arrive(request)
    else {
      const number = randomBelow(arrivals, plan.dispatchers)
      const line = lines[number]!
      if ((holdsBack && line.length > 0) || !dispatch(request, number)) {
        if (holdsBack) line.join(() => !request.settle || dispatch(request, number))
        else refuse(request)
      }
    }
    if (deadlineMs < Number.POSITIVE_INFINITY) events.add(events.atMs + deadlineMs, () => giveUp(request))
    if (++arrived < requests) events.add(events.atMs + exponential(arrivals, 1 / plan.arrivalsPerMs), arrive)
  }

  function refuse(request: Request): void {
    request.settle = null
    open--
    if (request.counts) tally.refused()
  }

  function dispatch(request: Request, number: number): boolean {
    const { key } = request
    const limit = deadlineMs < Number.POSITIVE_INFINITY ? deadlineMs - (events.atMs - request.arrivedMs) : undefined
    const pick = balancers[number]!.pick({ key, deadlineMs: limit })
    if (!pick) return false
    const place = places.get(pick.endpoint.id)!
    const left = key === undefined ? undefined : overlaps.enter(`${number} ${key}`, place)
    if (left?.overlapped && request.counts) tally.overlapped()
    request.settle = (outcome) => {
      left?.leave()
      pick.done(outcome)
      lines[number]!.serve()
    }
    send(request, servers[place]!)
    return true
  }

  events.add(0, arrive)
  const changes = [...fleet.changesAtMs]
  while (!unstable && (arrived < requests || (open > 0 && events.atMs < lastArrivalMs + drainMs))) {
    const event = events.take()
    if (!event) break
    if (changes.length > 0 && changes[0]! <= events.atMs) await fleet.update(changes.shift()!)
    event()
  }
  // Not awaited: with requests in flight they wait for a time that does not come any more.
  for (const balancer of balancers) void balancer.close({ drainMs: 0 })
  return tally.result({
    policy: isCentral ? 'central-queue' : balancers[0]!.stats().policy,
    unstable,
    sent: Object.fromEntries(servers.map((server) => [server.id, server.sent])),
    elapsedMs: lastArrivalMs - countsFromMs,
    capacityPerMs: plan.capacityPerMs,
  })
}

/** One stream of random numbers for each cause: a contestant that draws more often must not change what arrives. */
function streamsOf(seed: number): () => Random {
  let streams = 0
  return () => seededRandom(Math.imul(seed, 0x9e3779b1) + Math.imul(++streams, 0x85ebca6b))
}
