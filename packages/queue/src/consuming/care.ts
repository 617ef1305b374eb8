import type { Item } from './lanes.ts'
import type { Source } from './source.ts'

/** One that may have ended its process before is handled alone: until it has left, for good, nothing else begins. */
export interface Care {
  readonly taken: boolean
  take(item: Item): void
  release(item: Item): void
  ended(source: Source): void
}

export function createCare(free: () => void): Care {
  let current: Item | undefined
  const end = () => {
    current = undefined
    care.taken = false
    free()
  }
  // No getter: see `Chain`.
  const care = {
    taken: false,
    take(item: Item) {
      if (!item.careful) return
      current = item
      care.taken = true
    },
    release(item: Item) {
      if (current?.delivery === item.delivery) end()
    },
    ended(source: Source) {
      if (current?.source === source) end()
    },
  }
  return care
}
