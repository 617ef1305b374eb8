import type { Clock } from '@headrace/core'
import type { DeadReason, Settlement } from '../driver.ts'
import type { QueueEvent } from '../events.ts'
import type { Answers } from '../requests/replies.ts'
import type { Care } from './care.ts'
import { textOf } from './failures.ts'
import type { Item } from './lanes.ts'

/** The ways in which a message leaves its lane for good. */
export interface Verdicts {
  handled(item: Item): void
  bury(item: Item, reason: DeadReason, error: unknown): void
  /** For one that no handler is to have any more. */
  expire(item: Item): void
  /**
   * For one that has failed too often.
   * @returns whether its key is parked now, so that what is behind it has to follow.
   */
  giveUp(item: Item, error: unknown): boolean
}

export function createVerdicts(context: {
  readonly queue: string
  readonly clock: Clock
  readonly emit: ((event: QueueEvent) => void) | undefined
  readonly onExhausted: 'dead-letter' | 'park'
  readonly onExpired: 'dead-letter' | 'drop'
  readonly answers: Answers | undefined
  readonly care: Care
}): Verdicts {
  const { queue, clock, emit, onExhausted, onExpired, answers, care } = context

  function settle(item: Item, dead?: Settlement['dead'], stored?: () => void): void {
    const { delivery, source, window, careful } = item
    if (!dead && !window && !careful) {
      source.settle({ tag: delivery.tag })
      return
    }
    source.settle({ tag: delivery.tag, dead }, () => {
      stored?.()
      window?.leave(false)
      if (careful) care.release(item)
    })
  }

  const deadInfo = ({ delivery, attempt }: Item, reason: DeadReason, error: unknown) => ({
    reason,
    error: textOf(error),
    attempts: delivery.redeliveries + attempt,
    deadAtMs: clock.wallMs(),
  })

  function bury(item: Item, reason: DeadReason, error: unknown): void {
    const { id, key } = item.delivery.message
    const dead = deadInfo(item, reason, error)
    const { attempts } = dead
    answers?.refused(item, reason, dead.error)
    settle(item, dead, () => emit?.({ type: 'dead-letter', queue, id, key, reason, attempts, error: dead.error }))
  }

  return {
    handled(item) {
      answers?.done(item)
      settle(item)
    },
    bury,
    expire(item) {
      if (onExpired === 'dead-letter') return bury({ ...item, attempt: item.attempt - 1 }, 'expired', 'it has expired')
      const { id, key } = item.delivery.message
      answers?.refused(item, 'expired', 'it has expired')
      settle(item)
      emit?.({ type: 'dropped', queue, id, key, reason: 'expired' })
    },
    giveUp(item, error) {
      const reason = item.attempt === 0 ? 'redelivered' : 'exhausted'
      if (onExhausted === 'park' && item.parking.park(item, deadInfo(item, reason, error))) return true
      bury(item, reason, error)
      return false
    },
  }
}
