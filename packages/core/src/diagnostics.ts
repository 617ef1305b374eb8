import { channel } from 'node:diagnostics_channel'
import type { Observer } from './observe.ts'

/**
 * An observer that publishes each event on the channel `headrace:<component>:<type>` of `node:diagnostics_channel`,
 * where tracing and metrics libraries listen. An event costs one map look-up while nobody has subscribed.
 * @example createLocks(driver, { observe: toDiagnostics('lock') })
 */
export function toDiagnostics<Event extends { readonly type: string }>(component: string): Observer<Event> {
  // Types are a closed set in code, never data, so the map stays as small as the documentation.
  const channels = new Map<string, ReturnType<typeof channel>>()
  return (event) => {
    let found = channels.get(event.type)
    if (!found) {
      found = channel(`headrace:${component}:${event.type}`)
      channels.set(event.type, found)
    }
    if (found.hasSubscribers) found.publish(event)
  }
}
