/** Those who wait for something, in order of arrival. */
export interface Line {
  readonly length: number
  /** Waits at the end of the line. `turn` says whether it was served. Returns a function that leaves. */
  join(turn: () => boolean): () => void
  /** There may be something: serves from the front, up to the first for whom there is nothing. */
  serve(): void
}

export function createLine(): Line {
  const line = new Set<() => boolean>()
  let serving = false
  return {
    get length() {
      return line.size
    },
    join(turn) {
      // A fresh function: the same one twice must not become one place.
      const place = () => turn()
      line.add(place)
      return () => line.delete(place)
    },
    serve() {
      // Being served can be the next cause to serve, which this loop sees to anyway.
      if (serving || line.size === 0) return
      serving = true
      try {
        for (const place of line) {
          if (!place()) return
          line.delete(place)
        }
      } finally {
        serving = false
      }
    },
  }
}
