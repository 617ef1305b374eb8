/** Numbers of which the smallest is always at hand. */
export interface MinHeap {
  readonly size: number
  smallest(): number
  push(value: number): void
  /** Takes the smallest out and puts `value` in, in one go. */
  replaceSmallest(value: number): void
  pop(): number
}

export function minHeap(): MinHeap {
  const values: number[] = []
  const sink = (value: number, size: number) => {
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && values[child + 1]! < values[child]!) child += 1
      if (values[child]! >= value) break
      values[at] = values[child]!
      at = child
    }
    values[at] = value
  }
  return {
    get size() {
      return values.length
    },
    smallest: () => values[0]!,
    push(value) {
      let at = values.length
      values.push(value)
      while (at > 0) {
        const parent = (at - 1) >> 1
        if (values[parent]! <= value) break
        values[at] = values[parent]!
        at = parent
      }
      values[at] = value
    },
    replaceSmallest: (value) => sink(value, values.length),
    pop() {
      const smallest = values[0]!
      const last = values.pop()!
      if (values.length > 0) sink(last, values.length)
      return smallest
    },
  }
}
