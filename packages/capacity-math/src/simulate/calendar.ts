/** What happens when: events come out in the order of their times, whatever the order in which they went in. */
export interface Calendar {
  readonly size: number
  schedule(at: number, what: number): void
  /** Takes the next event out. @throws RangeError where there is none. */
  next(): { readonly at: number; readonly what: number }
  /** The time of the next event; Infinity where there is none. */
  nextAt(): number
}

/** A binary heap of times with what happens then. */
export function eventCalendar(): Calendar {
  const times: number[] = []
  const kinds: number[] = []
  const swap = (i: number, j: number) => {
    ;[times[i], times[j]] = [times[j]!, times[i]!]
    ;[kinds[i], kinds[j]] = [kinds[j]!, kinds[i]!]
  }
  return {
    get size() {
      return times.length
    },
    nextAt: () => times[0] ?? Number.POSITIVE_INFINITY,
    schedule(at, what) {
      times.push(at)
      kinds.push(what)
      for (let i = times.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1
        if (times[parent]! <= times[i]!) break
        swap(parent, i)
        i = parent
      }
    },
    next() {
      if (times.length === 0) throw new RangeError('there must be arrivals or a population')
      const event = { at: times[0]!, what: kinds[0]! }
      swap(0, times.length - 1)
      times.pop()
      kinds.pop()
      for (let i = 0; ; ) {
        let child = 2 * i + 1
        if (child >= times.length) break
        if (child + 1 < times.length && times[child + 1]! < times[child]!) child += 1
        if (times[i]! <= times[child]!) break
        swap(i, child)
        i = child
      }
      return event
    },
  }
}
