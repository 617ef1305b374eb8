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
// Too few slots leave workers idle and are fatal; four times too many cost a few percent (see the bench). So what is
// learnt is doubled.
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
  const workers = Math.max(1, slots - underway)
  return (candidate, nowMs) => {
    const { load } = candidate
    if (load.inFlight >= slots) return Number.POSITIVE_INFINITY
    // While a worker is free there, one more does not wait.
    return (residenceMs(load, nowMs) * Math.max(1, (load.inFlight + 1) / workers)) / shareOf(candidate, nowMs)
  }
}

// What is learnt only limits. As the number of workers above it would feed on itself: more sent, more learnt.
function learntCost(candidate: Candidate, nowMs: number): number {
  const { inFlight, concurrency } = candidate.load
  const learnt = concurrency.perMsMax * concurrency.latencyMinMs
  // Before anything is known there is no limit.
  const isFull = learnt > 0 && inFlight >= Math.max(slotsMin, Math.ceil(headroom * learnt) + underway)
  return isFull ? Number.POSITIVE_INFINITY : littleCost(candidate, nowMs)
}
