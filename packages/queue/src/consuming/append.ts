/** Where there is nothing yet: for `append`, and never to be changed. */
export const none: never[] = []

/**
 * Pushes to an array that has items, and makes a new one where it is empty: with room for one, as most need no more. What is
 * pushed to an empty array gets room for seventeen.
 */
export function append<Item>(items: Item[], item: Item): Item[] {
  if (items.length === 0) return [item]
  items.push(item)
  return items
}
