import type { Delivery } from '../driver.ts'
import type { QueueEvent } from '../events.ts'
import { expiryOf, priorityOf } from '../own-headers.ts'
import { createParking, type Parking, type Window } from '../parking/parking.ts'
import type { Item, Lanes } from './lanes.ts'
import type { Source } from './source.ts'
import type { Verdicts } from './verdicts.ts'

/** Where deliveries go when they come: to their lanes, to the parked messages of their key, or they are commands. */
export interface Arrivals {
  delivery(source: Source, delivery: Delivery): void
  /** Keys that are parked from before. */
  parked(source: Source, keys: readonly string[]): void
}

export function createArrivals(context: {
  readonly queue: string
  readonly lanes: Lanes
  readonly verdicts: Verdicts
  readonly parkedKeysMax: number
  readonly windowMax: number
  readonly redeliveriesMax: number
  readonly emit: ((event: QueueEvent) => void) | undefined
  readonly stopping: () => boolean
}): Arrivals {
  const { lanes, verdicts, redeliveriesMax, stopping } = context
  const parkings = new WeakMap<Source, Parking>()
  // Whoever waits beside one that ends its process is delivered again as often. So before it is enough they are handled one
  // by one, and if the process ends once more it was the first of those that are left.
  const carefulFrom = Math.max(1, redeliveriesMax - 1)
  const condemned = new WeakSet<Source>()

  function parkingOf(source: Source): Parking {
    const known = parkings.get(source)
    if (known) return known
    const parking: Parking = createParking(source, {
      ...context,
      tryAgain: (delivery, window) => lanes.add(itemOf(parking, delivery, window)),
      skip: (delivery, window, { because }) =>
        verdicts.bury(itemOf(parking, delivery, window), because?.reason ?? 'exhausted', because?.error ?? 'skipped'),
    })
    parkings.set(source, parking)
    return parking
  }

  function itemOf(parking: Parking, delivery: Delivery, window: Window | undefined): Item {
    const { source } = parking
    const { headers } = delivery.message
    // Somebody wants a parked message tried again, however often it was; how often that ends the process counts for the command.
    const redeliveries = window ? 0 : delivery.redeliveries
    const suspect = redeliveries >= carefulFrom
    const guilty = redeliveries >= redeliveriesMax && !condemned.has(source)
    if (guilty) condemned.add(source)
    return {
      delivery,
      source,
      parking,
      priority: priorityOf(headers),
      expiresAtMs: expiryOf(headers),
      // It goes through its lane all the same: it must not overtake those before it on its way out.
      attempt: guilty ? 0 : 1,
      alone: suspect,
      careful: suspect,
      window,
    }
  }

  return {
    delivery(source, delivery) {
      if (stopping()) return
      const parking = parkingOf(source)
      if (parking.obey(delivery)) return
      const item = itemOf(parking, delivery, undefined)
      if (parking.has(delivery.message.key)) parking.follow(item)
      else lanes.add(item)
    },
    parked: (source, keys) => parkingOf(source).found(keys),
  }
}
