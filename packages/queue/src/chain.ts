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
  let last: Link<Item> | undefined
  // No getters: an object literal that has one is a dictionary to V8, which looks up each of its methods at every call and
  // inlines none. That holds for all that is called for every message.
  const chain = {
    first: undefined as Link<Item> | undefined,
    size: 0,
    add(item: Item) {
      const link: Link<Item> = { item, before: last, after: undefined, chain }
      if (last) last.after = link
      else chain.first = link
      last = link
      chain.size++
      return link
    },
    remove(link: Link<Item>) {
      if (link.chain !== chain) return false
      const { before, after } = link
      if (before) before.after = after
      else chain.first = after
      if (after) after.before = before
      else last = before
      // What is gone must not hold on to what is not: see above.
      link.chain = undefined
      link.before = undefined
      link.after = undefined
      chain.size--
      return true
    },
    items() {
      const items: Item[] = []
      for (let link = chain.first; link; link = link.after) items.push(link.item)
      return items
    },
  }
  return chain
}
