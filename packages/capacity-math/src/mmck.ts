import { checkInteger, checkNumber, checkProbability } from './checks.ts'
import { logErlangB } from './erlang-b.ts'
import { below } from './gamma-ratio.ts'
import { geometricMean, geometricSum, geometricVariance } from './geometric.ts'
import { idleStates } from './idle-states.ts'
import { checkMmc, logUtilization, type MmcInput } from './mmc.ts'
import { acceptedResponse } from './mmck-response.ts'
import { type Population, population } from './population.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue } from './queue.ts'
import { smallestInteger } from './smallest-integer.ts'
import { stageMixture } from './stage-mixture.ts'
import { atMost, blockingMargin } from './ties.ts'

export interface MmckInput extends MmcInput {
  /** K, room for those waiting and those in service; an integer from `servers` to servers + 1e7. */
  readonly capacity: number
}

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'service times are independent and exponential',
  'servers are identical and serve one line in order of arrival',
  'an arrival that finds the system full is turned away and does not come back',
])

/**
 * M/M/c/K: as M/M/c, with room for K in all; who finds it full is turned away. Never unstable: `lambda` may exceed c μ.
 * From c on the states are geometric with ratio ρ, cut off at K (D. Gross & C. M. Harris, 2.4).
 * @throws RangeError or TypeError naming the parameter.
 */
export function mmck(queue: MmckInput): StableQueue {
  const { lambda, mu, servers } = queue
  const all = states(queue)
  const { load, l, room, scaled, allBusy, pBlock } = all
  // 1 - pBlock loses its digits under heavy overload, where the servers are known better: n p(n) = a p(n - 1) below c.
  const partly = () => (servers > 1 ? scaled(0, 1) * (servers / load) * (servers - 1) * below(servers - 2, load) : 0)
  const busy = pBlock > 0.5 ? servers * allBusy + partly() : load * (1 - pBlock)
  const accepted = lambda === 0 ? 1 : busy / load
  const Lq = allBusy * geometricMean(l, room + 1)
  const rate = servers * mu
  // Who enters behind j others waits for j + 1 departures.
  const pWait = room === 0 ? 0 : scaled(0, room) / accepted
  const ahead = room === 0 ? 0 : geometricMean(l, room)
  const Wq = (pWait * (ahead + 1)) / rate
  const second = (pWait * ((room === 0 ? 0 : geometricVariance(l, room)) + (ahead + 1) * (ahead + 2))) / rate ** 2
  const exceeds = (i: number) => scaled(i, room) / accepted
  const ratio = Math.exp(Math.min(0, l))
  const wait = stageMixture({ rate, exceeds, most: room, ratio, mean: Wq, variance: Math.max(0, second - Wq * Wq) })
  const first = room === 0 ? 0 : scaled(0, 1) / accepted
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: busy / servers,
    throughput: mu * busy,
    pWait,
    pBlock,
    pAbandon: 0,
    L: Lq + busy,
    Lq,
    W: Wq + 1 / mu,
    Wq,
    wait,
    response: acceptedResponse({ load, mu, servers, room, wait, pWait, exceeds, first }),
    population: numberInSystem(queue, all, Lq + busy),
  }
}

/** The share that M/M/c/K turns away, without all the rest. */
export function mmckBlocking(queue: MmckInput): number {
  return states(queue).pBlock
}

/** The smallest capacity, from `servers`, that turns away at most the share `blocking` of the arrivals. */
export function minCapacity(demand: MmcInput & { readonly blocking: number }): number {
  const { blocking, ...queue } = demand
  checkMmc(queue)
  checkProbability('blocking', blocking)
  const blocks = (capacity: number) => states({ ...queue, capacity }).pBlock
  const rho = queue.lambda / (queue.servers * queue.mu)
  if (rho >= 1 && 1 - 1 / rho >= blocking)
    throw new RangeError(
      `blocking must be above ${1 - 1 / rho}, which no capacity undercuts at this load, received ${blocking}`,
    )
  const guess = queue.servers + Math.max(0, Math.log(blocking / blocks(queue.servers)) / Math.log(rho))
  const meets = (capacity: number) =>
    atMost(blocks(capacity), blocking, capacity, () => blockingMargin({ ...queue, capacity }, blocking))
  return smallestInteger(meets, queue.servers, Number.isFinite(guess) ? guess : 0)
}

// A tail near saturation takes sqrt(room) steps; no system has more room than that.
const roomMax = 1e7

interface States {
  readonly load: number
  /** ln ρ */
  readonly l: number
  /** K - c */
  readonly room: number
  /** P(c + from ≤ N < c + to). */
  readonly scaled: (from: number, to: number) => number
  /** P(N < c) */
  readonly idle: number
  readonly allBusy: number
  readonly pBlock: number
}

/** The geometric states p(c + j), as sums over j in [from, to): in units in which the largest of them is about 1. */
function states(queue: MmckInput): States {
  const { lambda, mu, servers, capacity } = queue
  checkMmc(queue)
  checkInteger('capacity', capacity, servers)
  checkNumber('capacity - servers', capacity - servers, 0, roomMax)
  const room = capacity - servers
  const load = lambda / mu
  const l = logUtilization(servers, load, differenceFromProduct(servers, mu, lambda) / mu)
  const top = Math.max(0, room * l)
  // All states below c are together (1 / B - 1) times state c.
  const logBlocking = lambda === 0 ? Number.NEGATIVE_INFINITY : logErlangB({ servers, load })
  const upToFull = Math.exp(-top - logBlocking)
  const sum = (from: number, to: number) =>
    l > 0
      ? Math.exp((to - 1 - room) * l) * geometricSum(-l, to - from)
      : Math.exp(from * l) * geometricSum(l, to - from)
  const whole = upToFull + sum(1, room + 1)
  const scaled = (from: number, to: number) => (from >= to ? 0 : sum(from, to) / whole)
  // Without a single arrival the states are as far below c as a number can say, and their share is 1.
  const idle = Number.isFinite(upToFull) ? (-Math.expm1(logBlocking) * upToFull) / whole : 1
  return { load, l, room, scaled, allBusy: scaled(0, room + 1), idle, pBlock: scaled(room, room + 1) }
}

function numberInSystem(queue: MmckInput, { load, room, scaled, allBusy, idle }: States, mean: number): Population {
  const { servers, capacity } = queue
  const free = idleStates({ servers, load, idle, first: scaled(0, 1), busy: allBusy })
  return population({
    kind: 'exact',
    mean,
    most: capacity,
    pn: (n) => (n < servers ? free.pn(n) : scaled(n - servers, n - servers + 1)),
    sf: (n) => (n < servers - 1 ? free.sf(n) : scaled(n - servers + 1, room + 1)),
  })
}
