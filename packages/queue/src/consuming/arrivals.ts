import type { Delivery } from '../driver.ts'
import type { QueueEvent } from '../events.ts'
import { expiryOf, priorityOf } from '../own-headers.ts'
import { createParking, type Parking, type Window } from '../parking/parking.ts'
import type { Item, Lanes } from './lanes.ts'
import type { Source } from './source.ts'
import type { Verdicts } from './verdicts.ts'

/** Where deliveries of a source go when they come: to their lanes, to the parked messages of their key, or they are commands. */
export interface Arrivals {
  delivery(delivery: Delivery): void
  /** Keys that are parked from before. */
  parked(keys: readonly string[]): void
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
}): (source: Source) => Arrivals {
  const { lanes, verdicts, redeliveriesMax, stopping } = context
  // Whoever waits beside one that ends its process is delivered again as often. So before it is enough they are handled one
  // by one, and if the process ends once more it was the first of those that are left.
  const carefulFrom = Math.max(1, redeliveriesMax - 1)

  return (source) => {
    let condemned = false
    const parking: Parking = createParking(source, {
      ...context,
      tryAgain: (delivery, window) => lanes.add(itemOf(delivery, window)),
      skip: (delivery, window, { because }) =>
        verdicts.bury(itemOf(delivery, window), because?.reason ?? 'exhausted', because?.error ?? 'skipped'),
    })

    function itemOf(delivery: Delivery, window: Window | undefined): Item {
      const { headers } = delivery.message
      // Somebody wants a parked message tried again, however often it was; how often that ends the process counts for the command.
      const redeliveries = window ? 0 : delivery.redeliveries
      const suspect = redeliveries >= carefulFrom
      const guilty = redeliveries >= redeliveriesMax && !condemned
      condemned ||= guilty
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
        answer: undefined,
        window,
      }
    }

    return {
      delivery(delivery) {
        if (stopping() || parking.obey(delivery)) return
        const item = itemOf(delivery, undefined)
        if (parking.has(delivery.message.key)) parking.follow(item)
        else lanes.add(item)
      },
      parked: parking.found,
    }
  }
}
