import type { Clock } from '@headrace/core'

/** Watches the deadlines of everything that waits, with one timer for all. */
export interface Deadlines<Entry extends { readonly dueMs: number }> {
  add(entry: Entry): void
  delete(entry: Entry): void
}

/** @param expired called once for an entry whose time has come; it is no longer watched by then. */
export function watchDeadlines<Entry extends { readonly dueMs: number }>(
  clock: Clock,
  expired: (entry: Entry) => void,
): Deadlines<Entry> {
  const live = new Set<Entry>()
  let timer: { readonly dueMs: number; readonly cancel: () => void } | undefined

  function arm(dueMs: number): void {
    if (timer && timer.dueMs <= dueMs) return
    timer?.cancel()
    timer = { dueMs, cancel: clock.after(dueMs - clock.nowMs(), sweep) }
  }

  // A flood of short waits arms nothing: the timer stands at the earliest deadline it has met, and a look at all that
  // still wait moves it on to the earliest of those.
  function sweep(): void {
    timer = undefined
    const nowMs = clock.nowMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const entry of live) {
      if (entry.dueMs > nowMs) nextMs = Math.min(nextMs, entry.dueMs)
      else if (live.delete(entry)) expired(entry)
    }
    if (nextMs < Number.POSITIVE_INFINITY) arm(nextMs)
  }

  return {
    add(entry) {
      live.add(entry)
      arm(entry.dueMs)
    },
    delete(entry) {
      live.delete(entry)
      if (live.size > 0 || !timer) return
      // Nobody waits: a timer left behind would keep the process alive.
      timer.cancel()
      timer = undefined
    },
  }
}
