/** Something that can wait for a batch. */
export interface Batched {
  /** Set, and needed, by the batches. */
  place: number
  /** With which others it stays in line. */
  readonly group?: Group | undefined
}

/** Items that are in one batch after the other, never in two at a time. */
export interface Group {
  /** The batch that some of them are in. */
  batch: unknown
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
 * @param send calls `over` once to free the place of the batch, right after those were answered who wait for its items: what
 * they publish then is in the next one, all together.
 */
export function createBatches<Item extends Batched>(options: {
  readonly sizeMax: number
  readonly sizeMin?: number
  readonly inFlightMax: number
  /** Whether a batch takes only one of a group. */
  readonly oneOfGroup?: boolean
  readonly send: (items: Item[], over: () => void) => void
}): Batches<Item> {
  const { sizeMax, sizeMin = sizeMax, inFlightMax, oneOfGroup = false, send } = options
  // An array with gaps, where items were taken back: nearly all go in order and together.
  let waiting: (Item | undefined)[] = []
  let head = 0
  let count = 0
  let firstPlace = 0
  let inFlight = 0
  let itemsOut = 0
  let scheduled = false

  // More where a group would be cut, and fewer before one that is out.
  const take = (size: number): Item[] => {
    const items: Item[] = []
    while (items.length < sizeMax && items.length < count) {
      const item = waiting[head]
      const group = item?.group
      const belongs = group?.batch === items
      if (item && !belongs && (items.length >= size || group?.batch)) break
      if (belongs && oneOfGroup) break
      if (group) group.batch = items
      waiting[head++] = undefined
      if (item) items.push(item)
    }
    count -= items.length
    // Moved when half of it has left: constant per item on average.
    if (head * 2 >= waiting.length) {
      waiting = waiting.slice(head)
      firstPlace += head
      head = 0
    }
    return items
  }
  const closeGaps = () => {
    waiting = waiting.filter((item) => item !== undefined)
    head = 0
    waiting.forEach((item, at) => {
      item!.place = firstPlace + at
    })
  }

  const flush = () => {
    scheduled = false
    while (inFlight < inFlightMax && count > 0) {
      const size = Math.min(sizeMax, Math.max(sizeMin, Math.ceil((count + itemsOut) / 2)))
      const items = take(size)
      if (items.length === 0) return
      inFlight++
      itemsOut += items.length
      send(items, () => {
        inFlight--
        itemsOut -= items.length
        for (const { group } of items) if (group) group.batch = undefined
        if (count > 0) schedule()
      })
    }
  }
  // A microtask later, so that a synchronous burst is one batch.
  const schedule = () => {
    if (scheduled || inFlight >= inFlightMax) return
    scheduled = true
    queueMicrotask(flush)
  }

  return {
    add(item) {
      item.place = firstPlace + waiting.length
      waiting.push(item)
      count++
      schedule()
    },
    remove(item) {
      const at = item.place - firstPlace
      if (waiting[at] !== item) return false
      waiting[at] = undefined
      count--
      // Else what comes and is taken back, while all batches are out, would leave more and more of them.
      if (waiting.length > 1_000 && waiting.length - head > count * 2) closeGaps()
      return true
    },
  }
}
