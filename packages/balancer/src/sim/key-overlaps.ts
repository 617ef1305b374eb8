/** Notices when work on a key is in two places at once. */
export interface KeyOverlaps {
  /** Work on `key` begins at `place`; `overlapped` says whether there was any elsewhere. */
  enter(key: string, place: number): { readonly overlapped: boolean; leave(): void }
}

export function keyOverlaps(): KeyOverlaps {
  const inFlight = new Map<string, Map<number, number>>()
  return {
    enter(key, place) {
      let places = inFlight.get(key)
      if (!places) {
        places = new Map()
        inFlight.set(key, places)
      }
      const overlapped = places.size > (places.has(place) ? 1 : 0)
      const there = places
      there.set(place, (there.get(place) ?? 0) + 1)
      return {
        overlapped,
        leave() {
          const count = there.get(place)! - 1
          if (count > 0) there.set(place, count)
          else there.delete(place)
          if (there.size === 0) inFlight.delete(key)
        },
      }
    },
  }
}
