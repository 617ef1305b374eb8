import type { Clock } from '@headrace/core'

/** Many waits of one length under a single timer: what was added first is due first. */
export interface Deadlines<Item extends object> {
  add(item: Item): void
  delete(item: Item): void
  readonly size: number
}

/** A timer for each message would cost more than the message; one for the oldest is enough, because all wait equally long. */
export function createDeadlines<Item extends object>(
  clock: Clock,
  ms: number,
  expire: (item: Item) => void,
): Deadlines<Item> {
  const dueMs = new Map<Item, number>()
  let cancel: (() => void) | undefined

  const arm = () => {
    const [first] = dueMs.values()
    if (first !== undefined) cancel = clock.after(Math.max(0, first - clock.nowMs()), fire)
  }
  const fire = () => {
    cancel = undefined
    const now = clock.nowMs()
    for (const [item, due] of dueMs) {
      if (due > now) break
      dueMs.delete(item)
      expire(item)
    }
    if (!cancel) arm()
  }

  return {
    add(item) {
      dueMs.set(item, clock.nowMs() + ms)
      if (!cancel) arm()
    },
    delete(item) {
      if (!dueMs.delete(item) || dueMs.size > 0) return
      cancel?.()
      cancel = undefined
    },
    get size() {
      return dueMs.size
    },
  }
}
