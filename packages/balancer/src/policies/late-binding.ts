import { checkInteger } from '@headrace/core'
import { residenceMs } from '../load/little.ts'
import { littleCost } from './little.ts'
import { type Cost, lowestCost } from './lowest-cost.ts'
import { type Candidate, type Policy, shareOf } from './policy.ts'

export interface LateBindingOptions {
  /** How many may be in flight at one endpoint: its workers and two more. Learnt for each endpoint by default. */
  readonly slots?: number | undefined
}

// Two more than are worked on are on their way there and back, so that no worker waits for the next one.
const underway = 2
// Without a line to learn from, too few slots leave workers idle and are fatal; four times too many cost a few percent (see
// the bench). So what is learnt is doubled.
const headroom = 2
const slotsMin = 4

/**
 * Sends no more to an endpoint than keeps it busy; what does not fit waits here, in one line, and goes to whoever is free
 * first. `pick` gives null while all are full, and `call` waits in order of arrival. For one dispatcher before
 * a fleet it comes within a few percent of the ideal central queue.
 */
export function lateBinding(options: LateBindingOptions = {}): Policy {
  const { slots } = options
  if (slots !== undefined) checkInteger('slots', slots, { min: 1 })
  const cost = slots === undefined ? learntCost : slotsCost(slots)
  return {
    name: 'late-binding',
    holdsBack: true,
    cost,
    picker: (candidates, random) => lowestCost(candidates, random, cost),
  }
}

function slotsCost(slots: number): Cost {
  // Of the two more, one waits, and the other is on its way about half of the time.
  const busy = Math.max(1, slots - underway + 0.5)
  return (candidate, nowMs) =>
    candidate.load.inFlight >= slots ? Number.POSITIVE_INFINITY : placeCost(candidate, busy, nowMs)
}

/**
 * As long as no more than `busy` are there, one more does not wait, so that the next place costs no more than the first.
 * A place in line costs more than its wait, by the cube: the median suffers by waiting for the fast, and the 99th percentile
 * gains little.
 */
function placeCost(candidate: Candidate, busy: number, nowMs: number): number {
  const { load } = candidate
  const crowd = (load.inFlight + 1) / busy
  return (residenceMs(load, nowMs) * (crowd > 1 ? crowd * crowd * crowd : 1)) / shareOf(candidate, nowMs)
}

function learntCost(candidate: Candidate, nowMs: number): number {
  const { load } = candidate
  const { inFlight, concurrency, workers } = load
  if (!load.pace.order.isKept || workers.count === 0) return unorderedCost(candidate, nowMs)
  const onTheWay = concurrency.perMsMax * workers.latencyMinMs
  const busy = workers.count + onTheWay
  // Twice what is on the way, because it comes in bursts.
  if (inFlight >= Math.ceil(busy + onTheWay) + underway) return Number.POSITIVE_INFINITY
  return placeCost(candidate, busy, nowMs)
}

// Where the number of workers is not to be seen, what is learnt only limits. In the cost it would feed on itself: more
// sent, more learnt.
function unorderedCost(candidate: Candidate, nowMs: number): number {
  const { inFlight, concurrency } = candidate.load
  const learnt = concurrency.perMsMax * concurrency.latencyMinMs
  // Before anything is known there is no limit.
  const isFull = learnt > 0 && inFlight >= Math.max(slotsMin, Math.ceil(headroom * learnt) + underway)
  return isFull ? Number.POSITIVE_INFINITY : littleCost(candidate, nowMs)
}
