/** Gathers items and sends them together. */
export interface Batches<Item> {
  add(item: Item): void
  /** Takes back an item that has not been sent. */
  remove(item: Item): boolean
  readonly waiting: number
}

/**
 * Batches clocked by their answers: what arrives while `inFlightMax` batches are out travels together in the next one. A
 * lone item leaves in the same turn, so there is no timer and no latency to pay for it (as Nagle, without the wait).
 * @param send must not reject; its end frees the place of the batch.
 */
export function createBatches<Item>(options: {
  readonly sizeMax: number
  readonly inFlightMax: number
  readonly send: (items: Item[]) => Promise<void>
}): Batches<Item> {
  const { sizeMax, inFlightMax, send } = options
  const waiting = new Set<Item>()
  let inFlight = 0
  let scheduled = false

  const flush = () => {
    scheduled = false
    while (inFlight < inFlightMax && waiting.size > 0) {
      const items: Item[] = []
      for (const item of waiting) {
        items.push(item)
        waiting.delete(item)
        if (items.length === sizeMax) break
      }
      inFlight++
      void send(items).then(() => {
        inFlight--
        flush()
      })
    }
  }

  return {
    add(item) {
      waiting.add(item)
      // A microtask later, so that a synchronous burst is one batch.
      if (scheduled || inFlight >= inFlightMax) return
      scheduled = true
      queueMicrotask(flush)
    },
    remove: (item) => waiting.delete(item),
    get waiting() {
      return waiting.size
    },
  }
}
