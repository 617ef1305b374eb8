/** Items under numbers that grow and are never given twice, in a table that is at most half full and does not move while they come and go. */
export interface Held<Item> {
  /** @returns the number of the item. */
  add(item: Item): number
  /** Takes an item out; undefined where the number is not, or no longer, known. */
  take(tag: number): Item | undefined
  /** Takes out all of them, in no order. */
  clear(): Item[]
  readonly size: number
}

export function createHeld<Item>(): Held<Item> {
  // A power of two of them. Tags are whole numbers whose low digits, which `&` looks at, name the place.
  let places: ({ readonly tag: number; readonly item: Item } | undefined)[] = Array(16).fill(undefined)
  let lastTag = 0
  let size = 0

  const grow = () => {
    const old = places
    places = Array(old.length * 2).fill(undefined)
    for (const held of old) if (held) places[held.tag & (places.length - 1)] = held
  }

  return {
    add(item) {
      if (size * 2 >= places.length) grow()
      const mask = places.length - 1
      // A number whose place is still taken by an old item is passed over.
      do lastTag++
      while (places[lastTag & mask])
      places[lastTag & mask] = { tag: lastTag, item }
      size++
      return lastTag
    },
    take(tag) {
      const place = tag & (places.length - 1)
      const held = places[place]
      if (held?.tag !== tag) return undefined
      places[place] = undefined
      size--
      return held.item
    },
    clear() {
      const all = places.flatMap((held) => (held ? [held.item] : []))
      places.fill(undefined)
      size = 0
      return all
    },
    get size() {
      return size
    },
  }
}
