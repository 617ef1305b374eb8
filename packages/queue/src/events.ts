import type { DeadReason } from './driver.ts'

/** What happens inside a queue, for `observe`. */
export type QueueEvent =
  /** A publish was refused because something is full: `window` is ours, `depth` is the queue's. */
  | { readonly type: 'busy'; readonly queue: string; readonly full: 'window' | 'bytes' | 'depth' }
  /** A handler failed; the message is tried again after `delayMs`, and its key waits for it. */
  | {
      readonly type: 'retry'
      readonly queue: string
      readonly id: string
      readonly key: string | undefined
      readonly attempt: number
      readonly delayMs: number
      readonly error: unknown
    }
  /** A message has gone to the dead letters. */
  | {
      readonly type: 'dead-letter'
      readonly queue: string
      readonly id: string
      readonly key: string | undefined
      readonly reason: DeadReason
      readonly attempts: number
      readonly error: string
    }
  /** A message has failed too often, and its key waits for `unpark` or `skip`. */
  | {
      readonly type: 'parked'
      readonly queue: string
      readonly id: string
      readonly key: string
      readonly attempts: number
      readonly error: string
    }
  /** The last parked message of a key is done: it goes on as others do. */
  | { readonly type: 'unparked'; readonly queue: string; readonly key: string }
  /** A message was thrown away, as `onExpired` says. */
  | {
      readonly type: 'dropped'
      readonly queue: string
      readonly id: string
      readonly key: string | undefined
      readonly reason: 'expired'
    }
  /** A handler did not stop within `graceMs` after its signal; it may still be running, beside what comes next. */
  | { readonly type: 'abandoned'; readonly queue: string; readonly ids: readonly string[] }
  /** A partition is subscribed. It delivers as soon as no other consumer holds it. */
  | { readonly type: 'subscribed'; readonly queue: string; readonly partition: number }
  /** A subscription ended or could not be made; it is tried again after `delayMs`. */
  | {
      readonly type: 'lost'
      readonly queue: string
      readonly partition: number
      readonly delayMs: number
      readonly cause: unknown
    }
