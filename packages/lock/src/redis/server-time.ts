import type { Clock } from '@headrace/core'
import { type Entry, Fifo } from '../fifo.ts'

/** Requests whose reply is out. */
export interface Asking extends Entry {
  readonly sentMs: number
  readonly requests: readonly { readonly id: string }[]
  /** Those of them whose grant was faster than the reply. */
  overtaken?: Set<string>
}

/**
 * When a moment of the server's clock was, on ours, at the earliest. The server read its clock after we sent a request;
 * so a moment `d` later on its clock was at least `d` after the sending. That needs no synchronised clocks. Kept for each
 * id that waits, because in a cluster each key can have a server, and so a clock, of its own.
 */
export interface ServerTime {
  /** Before the requests are sent: a grant can overtake the reply that says that they wait. Ends with `answered`. */
  asks(requests: Asking['requests']): Asking
  answered(asking: Asking): void
  /** The reply to `asking` says that `id` waits; what was granted before the reply came does not. */
  waits(asking: Asking, id: string, serverMs: number): void
  /** The same of one that waited already, unless it was granted meanwhile. */
  waitsStill(id: string, sentMs: number, serverMs: number): void
  forget(id: string): void
  momentOf(id: string, grantedMs: number): number
}

// What the server's clock and ours may differ in speed, over a long wait.
const clockDrift = 0.001

export function serverTime(clock: Clock): ServerTime {
  const waiting = new Map<string, { readonly sentMs: number; readonly serverMs: number }>()
  // Not a set, for the reason that Keyed gives: there is one for each call.
  const out = new Fifo<Asking>()
  let beganMs: number | undefined
  return {
    asks(requests) {
      const asking: Asking = { before: undefined, after: undefined, sentMs: clock.nowMs(), requests }
      beganMs ??= asking.sentMs
      out.push(asking)
      return asking
    },
    answered(asking) {
      out.delete(asking)
    },
    waits({ sentMs, overtaken }, id, serverMs) {
      if (!overtaken?.has(id)) waiting.set(id, { sentMs, serverMs })
    },
    waitsStill(id, sentMs, serverMs) {
      if (waiting.has(id)) waiting.set(id, { sentMs, serverMs })
    },
    forget(id) {
      if (waiting.size > 0) waiting.delete(id)
    },
    momentOf(id, grantedMs) {
      const sample = waiting.get(id)
      if (sample) {
        waiting.delete(id)
        return sample.sentMs + (grantedMs - sample.serverMs) * (1 - clockDrift) - 1
      }
      for (const asking of out) {
        if (!asking.requests.some((request) => request.id === id)) continue
        asking.overtaken ??= new Set()
        asking.overtaken.add(id)
        return asking.sentMs
      }
      // Nothing can have been granted to this session before its first request.
      return beganMs ?? clock.nowMs()
    },
  }
}
