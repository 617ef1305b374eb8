import type { Clock } from '@headrace/core'
import type { EventHeap } from './event-heap.ts'

/** The time of a simulation as a clock for what runs in it. Sleeping is for what may also never wake. */
export function simClock(events: EventHeap<() => void>): Clock {
  function after(ms: number, run: () => void): () => void {
    let due = true
    events.add(events.atMs + Math.max(0, ms), () => {
      if (due) run()
    })
    return () => {
      due = false
    }
  }
  return {
    nowMs: () => events.atMs,
    wallMs: () => events.atMs,
    after,
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
  }
}
