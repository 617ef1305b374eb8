/**
 * A map for entries that come and go at a high rate. When a `Map` outgrows the holes of what was deleted, its old hash table
 * refers to the new one; once an old one has reached the old generation, all that follow it, and what was in them, survive
 * until the next major collection: for a hundred thousand leases a second that was a third of the time. An object in
 * dictionary mode copies itself and leaves nothing behind.
 */
export interface Keyed<T> {
  get(key: string): T | undefined
  set(key: string, value: T): void
  delete(key: string): void
  values(): T[]
}

export function createKeyed<T extends object>(): Keyed<T> {
  // Without a prototype no key means anything, not even __proto__.
  const table: Record<string, T> = Object.create(null)
  return {
    get: (key) => table[key],
    set(key, value) {
      table[key] = value
    },
    delete(key) {
      delete table[key]
    },
    values: () => Object.values(table),
  }
}
