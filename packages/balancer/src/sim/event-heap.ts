/** What happens next, by time; what is due at the same time comes in an order that only depends on how it was added. */
export interface EventHeap<Event> {
  readonly size: number
  add(atMs: number, event: Event): void
  /** @returns the earliest, whose time is then `atMs`. */
  take(): Event | undefined
  readonly atMs: number
}

export function eventHeap<Event>(): EventHeap<Event> {
  const times: number[] = []
  const events: Event[] = []
  let atMs = 0

  function place(at: number, timeMs: number, event: Event): void {
    times[at] = timeMs
    events[at] = event
  }

  return {
    get size() {
      return times.length
    },
    get atMs() {
      return atMs
    },
    add(timeMs, event) {
      let at = times.length
      times.push(timeMs)
      events.push(event)
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (times[parent]! <= timeMs) break
        place(at, times[parent]!, events[parent]!)
        at = parent
      }
      place(at, timeMs, event)
    },
    take() {
      if (times.length === 0) return undefined
      const first = events[0]!
      atMs = times[0]!
      const timeMs = times.pop()!
      const event = events.pop()!
      const size = times.length
      if (size === 0) return first
      let at = 0
      for (;;) {
        let child = 2 * at + 1
        if (child >= size) break
        if (child + 1 < size && times[child + 1]! < times[child]!) child++
        if (times[child]! >= timeMs) break
        place(at, times[child]!, events[child]!)
        at = child
      }
      place(at, timeMs, event)
      return first
    },
  }
}
