/**
 * Runs `work` for each item: those of one key one after the other, in their order, the keys side by side. After an item for
 * which it answers false, the rest of its key is left. All items of the call may be under way at once: bound their number.
 * @param work must not reject.
 * @returns for each item whether it is done.
 */
export function inOrderPerKey<Item>(
  items: readonly Item[],
  keyOf: (item: Item) => string | undefined,
  work: (item: Item) => Promise<boolean>,
): Promise<boolean[]> {
  const ends = new Map<string, Promise<boolean>>()
  return Promise.all(
    items.map((item) => {
      const key = keyOf(item)
      if (key === undefined) return work(item)
      const end = ends.get(key)?.then((done) => done && work(item)) ?? work(item)
      ends.set(key, end)
      return end
    }),
  )
}
