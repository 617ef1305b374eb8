import { createChain, type Link } from '../chain.ts'

/** Something that can wait for a batch. */
export interface Batched {
  /** Its place among those that wait, or that it had. */
  place?: Link<unknown> | undefined
}

/** Gathers items and sends them together. */
export interface Batches<Item extends Batched> {
  add(item: Item): void
  /** Takes back an item that has not been sent. */
  remove(item: Item): boolean
}

/**
 * Batches clocked by their answers: what arrives while `inFlightMax` batches are out travels together in the next one. A
 * lone item leaves in the same turn, so there is no timer and no latency to pay for it (as Nagle, without the wait).
 * @param sizeMin from here on a batch has half of all that waits and is out, so that one is made while the other travels;
 * `sizeMax` by default.
 * @param send must not reject; its end frees the place of the batch.
 */
export function createBatches<Item extends Batched>(options: {
  readonly sizeMax: number
  readonly sizeMin?: number
  readonly inFlightMax: number
  readonly send: (items: Item[]) => Promise<void>
}): Batches<Item> {
  const { sizeMax, sizeMin = sizeMax, inFlightMax, send } = options
  const waiting = createChain<Item>()
  let inFlight = 0
  let itemsOut = 0
  let scheduled = false

  const flush = () => {
    scheduled = false
    while (inFlight < inFlightMax && waiting.size > 0) {
      const items: Item[] = []
      const size = Math.min(sizeMax, Math.max(sizeMin, Math.ceil((waiting.size + itemsOut) / 2)))
      for (let link = waiting.first; link && items.length < size; link = waiting.first) {
        items.push(link.item)
        waiting.remove(link)
      }
      inFlight++
      itemsOut += items.length
      void send(items).then(() => {
        inFlight--
        itemsOut -= items.length
        flush()
      })
    }
  }

  return {
    add(item) {
      item.place = waiting.add(item)
      // A microtask later, so that a synchronous burst is one batch.
      if (scheduled || inFlight >= inFlightMax) return
      scheduled = true
      queueMicrotask(flush)
    },
    remove: (item) => item.place !== undefined && waiting.remove(item.place as Link<Item>),
  }
}
