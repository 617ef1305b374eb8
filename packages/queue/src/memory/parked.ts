import type { DeadInfo, Delivery, Park, ParkedKey } from '../driver.ts'

interface Parkable {
  readonly message: Delivery['message']
  parked: boolean
}

/** The parked messages of a partition, by key and in order. */
export interface Parked<Entry extends Parkable> {
  /** Puts a message behind those of its key, unless it is there. */
  park(entry: Entry, park: Park): void
  remove(entry: Entry): void
  oldest(key: string, max: number): Entry[]
  keys(): string[]
  list(partition: number): ParkedKey[]
}

export function createParked<Entry extends Parkable>(): Parked<Entry> {
  const byKey = new Map<string, { readonly entries: Set<Entry>; because: readonly [Entry, DeadInfo] | undefined }>()
  const of = (key: string) => {
    const known = byKey.get(key)
    if (known) return known
    const made = { entries: new Set<Entry>(), because: undefined }
    byKey.set(key, made)
    return made
  }

  return {
    park(entry, { because }) {
      const parked = of(entry.message.key!)
      entry.parked = true
      parked.entries.add(entry)
      if (because) parked.because = [entry, because]
    },
    remove(entry) {
      const key = entry.message.key!
      const entries = byKey.get(key)?.entries
      entries?.delete(entry)
      if (entries?.size === 0) byKey.delete(key)
    },
    oldest(key, max) {
      const entries: Entry[] = []
      for (const entry of byKey.get(key)?.entries ?? []) {
        if (entries.length === max) break
        entries.push(entry)
      }
      return entries
    },
    keys: () => [...byKey.keys()],
    list: (partition) =>
      [...byKey].map(([key, { entries, because }]) => {
        const [oldest] = entries
        const known = because?.[0] === oldest ? because?.[1] : undefined
        return { key, partition, waiting: entries.size, id: oldest!.message.id, because: known }
      }),
  }
}
