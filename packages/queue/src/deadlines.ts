import type { Clock } from '@headrace/core'
import { createChain, type Link } from './chain.ts'

/** Something that waits; for one thing at a time. */
export interface Timed {
  dueMs?: number
  wait?: Link<unknown> | undefined
}

/** Many waits of one length under a single timer: what was added first is due first. */
export interface Deadlines<Item extends Timed> {
  add(item: Item): void
  delete(item: Item): void
}

/** A timer for each message would cost more than the message; one for the oldest is enough, because all wait equally long. */
export function createDeadlines<Item extends Timed>(
  clock: Clock,
  ms: number,
  expire: (item: Item) => void,
): Deadlines<Item> {
  const waiting = createChain<Item>()
  let cancel: (() => void) | undefined

  const arm = () => {
    if (waiting.first) cancel = clock.after(Math.max(0, waiting.first.item.dueMs! - clock.nowMs()), fire)
  }
  const fire = () => {
    cancel = undefined
    const now = clock.nowMs()
    for (let link = waiting.first; link && link.item.dueMs! <= now; link = waiting.first) {
      waiting.remove(link)
      expire(link.item)
    }
    if (!cancel) arm()
  }

  return {
    add(item) {
      item.dueMs = clock.nowMs() + ms
      item.wait = waiting.add(item)
      if (!cancel) arm()
    },
    delete(item) {
      if (!item.wait || !waiting.remove(item.wait as Link<Item>) || waiting.first) return
      cancel?.()
      cancel = undefined
    },
  }
}
