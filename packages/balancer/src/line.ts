/** Those who wait for something, in order of arrival. */
export interface Line {
  readonly length: number
  /** Waits at the end of the line. `turn` says whether it was served. Returns a function that leaves. */
  join(turn: () => boolean): () => void
  /** There may be something: serves from the front, up to the first for whom there is nothing. */
  serve(): void
}

export function createLine(): Line {
  const places = new Set<() => boolean>()
  let serving = false
  // A field, because V8 looks the properties of a literal that has a getter up in a dictionary, with each pick.
  const line = {
    length: 0,
    join(turn: () => boolean) {
      // A fresh function: the same one twice must not become one place.
      const place = () => turn()
      places.add(place)
      line.length = places.size
      return () => leave(place)
    },
    serve() {
      // Being served can be the next cause to serve, which this loop sees to anyway.
      if (serving || line.length === 0) return
      serving = true
      try {
        for (const place of places) {
          if (!place()) return
          leave(place)
        }
      } finally {
        serving = false
      }
    },
  }

  function leave(place: () => boolean): void {
    places.delete(place)
    line.length = places.size
  }

  return line
}
