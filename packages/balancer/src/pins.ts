/** Where keys have work in flight. As large as the work in flight, and no larger. */
export interface Pins<Place> {
  at(key: string): Place | undefined
  hold(key: string, place: Place): void
  /** @returns whether that was the last work on the key. */
  release(key: string): boolean
}

export function createPins<Place>(): Pins<Place> {
  const pins = new Map<string, { readonly place: Place; inFlight: number }>()
  return {
    at: (key) => pins.get(key)?.place,
    hold(key, place) {
      const pin = pins.get(key)
      if (pin) pin.inFlight++
      else pins.set(key, { place, inFlight: 1 })
    },
    release(key) {
      const pin = pins.get(key)
      if (pin && --pin.inFlight > 0) return false
      return pins.delete(key)
    },
  }
}
