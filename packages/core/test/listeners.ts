import { getEventListeners } from 'node:events'

/** How many listeners wait on a signal: one left behind on a long-lived signal is a leak. */
export function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}
