/**
 * A map that forgets what was not used lately. It holds between `max` and `2 * max` entries in two generations: when the
 * young one is full it becomes the old one, and the old one is dropped. Every operation is constant in time, on average.
 */
export class BoundedMap<Value> {
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()
  readonly #max: number
  readonly #keep: ((value: Value) => boolean) | undefined
  #full: number

  /** @param keep what must not be forgotten yet, on top of `max`; it must be bounded by something else. */
  constructor(max: number, keep?: (value: Value) => boolean) {
    this.#max = max
    this.#keep = keep
    this.#full = max
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: Value): void {
    this.#young.set(key, value)
    if (this.#young.size < this.#full) return
    const dropped = this.#old
    this.#old = this.#young
    this.#young = new Map()
    if (this.#keep) {
      for (const [other, kept] of dropped) if (this.#keep(kept) && !this.#old.has(other)) this.#young.set(other, kept)
    }
    // Room for as many new ones as ever: what is kept must not bring the next drop nearer.
    this.#full = this.#max + this.#young.size
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }
}
