/**
 * Items in the order of their arrival, of which any can leave, in constant time. A `Set` does the same, but it moves to a new
 * table again and again while items come and go, and each table that was given up keeps the next one, and all that was in it,
 * from the young collector: at some hundred thousand messages a second that costs more than the messages.
 */
export interface Chain<Item> {
  add(item: Item): Link<Item>
  /** False where it has left before, or is in another chain. */
  remove(link: Link<Item>): boolean
  readonly first: Link<Item> | undefined
  /** All of them, as they are now. */
  items(): Item[]
  readonly size: number
}

/** The place of an item in its chain. */
export interface Link<Item> {
  readonly item: Item
  before: Link<Item> | undefined
  after: Link<Item> | undefined
  chain: Chain<Item> | undefined
}

export function createChain<Item>(): Chain<Item> {
  let first: Link<Item> | undefined
  let last: Link<Item> | undefined
  let size = 0
  const chain: Chain<Item> = {
    add(item) {
      const link: Link<Item> = { item, before: last, after: undefined, chain }
      if (last) last.after = link
      else first = link
      last = link
      size++
      return link
    },
    remove(link) {
      if (link.chain !== chain) return false
      const { before, after } = link
      if (before) before.after = after
      else first = after
      if (after) after.before = before
      else last = before
      // What is gone must not hold on to what is not: see above.
      link.chain = undefined
      link.before = undefined
      link.after = undefined
      size--
      return true
    },
    get first() {
      return first
    },
    items() {
      const items: Item[] = []
      for (let link = first; link; link = link.after) items.push(link.item)
      return items
    },
    get size() {
      return size
    },
  }
  return chain
}
