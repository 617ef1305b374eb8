import { checkedEndpoints, type EndpointInput } from '../endpoint.ts'
import type { Discovery, Snapshot } from './discovery.ts'

/**
 * A list that never changes.
 * @throws TypeError or RangeError naming the entry and the field: an empty address or id, the same id twice, a bad weight.
 */
export function staticEndpoints<Metadata = unknown>(inputs: readonly EndpointInput<Metadata>[]): Discovery<Metadata> {
  const endpoints = checkedEndpoints(inputs)
  const initial: Snapshot<Metadata> = { endpoints, state: endpoints.length === 0 ? 'confirmed-empty' : 'fresh' }
  return {
    initial,
    async *watch(signal) {
      if (!signal.aborted) yield initial
    },
  }
}
