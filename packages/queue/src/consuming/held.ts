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
  let places: (Item | undefined)[] = Array(16).fill(undefined)
  let tags: number[] = Array(16).fill(0)
  let lastTag = 0

  const grow = () => {
    const [oldPlaces, oldTags] = [places, tags]
    places = Array(oldPlaces.length * 2).fill(undefined)
    tags = Array(places.length).fill(0)
    oldTags.forEach((tag, at) => {
      const place = tag & (places.length - 1)
      if (oldPlaces[at] === undefined) return
      places[place] = oldPlaces[at]
      tags[place] = tag
    })
  }

  // No getter: see `Chain`.
  const all = {
    size: 0,
    add(item: Item) {
      if (all.size * 2 >= places.length) grow()
      const mask = places.length - 1
      // A number whose place is still taken by an old item is passed over.
      do lastTag++
      while (places[lastTag & mask] !== undefined)
      places[lastTag & mask] = item
      tags[lastTag & mask] = lastTag
      all.size++
      return lastTag
    },
    take(tag: number) {
      const place = tag & (places.length - 1)
      const item = places[place]
      if (item === undefined || tags[place] !== tag) return undefined
      places[place] = undefined
      all.size--
      return item
    },
    clear() {
      const items = places.filter((item) => item !== undefined)
      places.fill(undefined)
      all.size = 0
      return items
    },
  }
  return all
}
