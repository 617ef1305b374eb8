/** An entry of a line; it can leave from any place in constant time. */
export interface Entry {
  before: Entry | undefined
  after: Entry | undefined
}

/** A doubly linked line. A `Set` would do, but finding its first element slows down with every one removed before. */
export interface Fifo<T extends Entry> {
  readonly first: T | undefined
  readonly size: number
  push(entry: T): void
  delete(entry: T): void
  [Symbol.iterator](): Iterator<T>
}

export function createFifo<T extends Entry>(): Fifo<T> {
  let first: T | undefined
  let last: T | undefined
  let size = 0
  return {
    get first() {
      return first
    },
    get size() {
      return size
    },
    push(entry) {
      entry.before = last
      entry.after = undefined
      if (last) last.after = entry
      else first = entry
      last = entry
      size++
    },
    delete(entry) {
      if (entry !== first && !entry.before) return
      if (entry.before) entry.before.after = entry.after
      else first = entry.after as T | undefined
      if (entry.after) entry.after.before = entry.before
      else last = entry.before as T | undefined
      entry.before = entry.after = undefined
      size--
    },
    *[Symbol.iterator]() {
      for (let entry = first; entry; ) {
        const after: T | undefined = entry.after as T | undefined
        yield entry
        entry = after
      }
    },
  }
}
