/** First in, first out, in constant time; an array's `shift` moves all that is behind. */
export interface Fifo<Item> {
  push(item: Item): void
  shift(): Item | undefined
  /** The item at `index` from the front. */
  peek(index: number): Item | undefined
  /** Puts items before all others, keeping their order. */
  unshift(items: readonly Item[]): void
  readonly size: number
}

export function createFifo<Item>(): Fifo<Item> {
  let items: (Item | undefined)[] = []
  let head = 0
  // No getter: see `Chain`.
  const fifo = {
    size: 0,
    push(item: Item) {
      items.push(item)
      fifo.size++
    },
    shift() {
      if (fifo.size === 0) return undefined
      fifo.size--
      const item = items[head]
      items[head++] = undefined
      // Moved as often as it has grown to twice the size: constant per item on average.
      if (head > 1_000 && head * 2 > items.length) {
        items = items.slice(head)
        head = 0
      }
      return item
    },
    peek: (index: number) => items[head + index],
    unshift(front: readonly Item[]) {
      if (front.length === 0) return
      fifo.size += front.length
      items = [...front, ...items.slice(head)]
      head = 0
    },
  }
  return fifo
}
