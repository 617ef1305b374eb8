import type { Decide } from '@headrace/writer'

/** What was written to one address. */
export interface Counter {
  readonly writes: number
  readonly bytes: number
}

export interface Increment {
  readonly bytes: number
}

/** The number of this write among those of its address. */
export interface Count {
  readonly writes: number
}

export const count: Decide<Counter, Increment, Count, never> = (counter, { bytes }) => {
  const writes = counter.writes + 1
  return { state: { writes, bytes: counter.bytes + bytes }, result: { writes } }
}
