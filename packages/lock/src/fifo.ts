/** An entry of a line; it can leave from any place in constant time. */
export interface Entry {
  before: Entry | undefined
  after: Entry | undefined
}

/** A doubly linked line. A `Set` would do, but finding its first element slows down with every one removed before. */
export class Fifo<T extends Entry> {
  first: T | undefined = undefined
  #last: T | undefined = undefined
  size = 0

  push(entry: T): void {
    entry.before = this.#last
    entry.after = undefined
    if (this.#last) this.#last.after = entry
    else this.first = entry
    this.#last = entry
    this.size++
  }

  /** Does nothing to an entry that is not in a line. */
  delete(entry: T): void {
    if (entry !== this.first && !entry.before) return
    if (entry.before) entry.before.after = entry.after
    else this.first = entry.after as T | undefined
    if (entry.after) entry.after.before = entry.before
    else this.#last = entry.before as T | undefined
    entry.before = entry.after = undefined
    this.size--
  }

  /** The entries from first to last; one may be deleted while it is visited. */
  *[Symbol.iterator](): Generator<T> {
    for (let entry = this.first; entry; ) {
      const after = entry.after as T | undefined
      yield entry
      entry = after
    }
  }
}
