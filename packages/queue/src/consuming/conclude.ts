import type { Backoff, Clock } from '@headrace/core'
import type { QueueEvent } from '../events.ts'
import { isRejection } from '../message.ts'
import { append, none } from './append.ts'
import type { Care } from './care.ts'
import type { Item, Lanes, Stretch } from './lanes.ts'
import type { Verdicts } from './verdicts.ts'

/** Settles what is done of a stretch that has run, and gives the rest back to its lane, which it returns. */
export type Conclude = (
  stretch: Stretch,
  /** Those that the handler has not seen: they are settled. */
  leftOut: ReadonlySet<Item> | undefined,
  /** Of some, or the one of all. */
  failures: ReadonlyMap<Item, unknown> | undefined,
  thrown: unknown,
) => readonly Item[]

export function createConclude(context: {
  readonly queue: string
  readonly clock: Clock
  readonly attempts: number
  readonly backoff: Backoff
  readonly emit: ((event: QueueEvent) => void) | undefined
  readonly lanes: Lanes
  readonly verdicts: Verdicts
  readonly care: Care
  readonly stopping: () => boolean
}): Conclude {
  const { queue, clock, attempts, backoff, emit, lanes, verdicts, care, stopping } = context

  function again(item: Item, error: unknown): number {
    const { id, key } = item.delivery.message
    const delayMs = backoff(item.attempt)
    emit?.({ type: 'retry', queue, id, key, attempt: item.delivery.redeliveries + item.attempt, delayMs, error })
    item.attempt++
    return delayMs
  }

  return (stretch, leftOut, failures, thrown) => {
    let back: Item[] = none
    let parked = false
    let pauseMs = 0
    for (const item of stretch.items) {
      if (item.source.ended || leftOut?.has(item)) continue
      const error = failures ? failures.get(item) : thrown
      // Behind one that failed nothing is done, whatever its handler says: it would have overtaken.
      if (back.length > 0) back = append(back, item)
      else if (parked) item.parking.follow(item)
      else if (error === undefined) verdicts.handled(item)
      else if (isRejection(error)) verdicts.bury(item, 'rejected', error)
      else if (stopping()) break
      else if (item.attempt === 0 || item.attempt >= attempts) parked = verdicts.giveUp(item, error)
      else {
        pauseMs = again(item, error)
        back = append(back, item)
      }
    }
    // What waits, or is parked, cannot be what ends the process next.
    const [first] = stretch.items
    if (first?.careful && (parked || back.length > 0)) care.release(first)
    if (parked) for (const item of lanes.clear(stretch)) item.parking.follow(item)
    else if (stopping() || back.length === 0) lanes.resume(stretch, none)
    else lanes.pause(stretch, back, (over) => clock.after(pauseMs, over))
    return back
  }
}
