import type { RefusalReason } from './admission.ts'

/** What an observer of a writer is told, synchronously and in order. */
export type WriterEvent =
  /** A term of ownership began; `token` fences every earlier owner. */
  | { readonly type: 'owned'; readonly partition: number; readonly token: bigint }
  /** A batch became durable; `ms` is the time of the commit alone. */
  | {
      readonly type: 'committed'
      readonly partition: number
      readonly writes: number
      readonly events: number
      readonly ms: number
    }
  /** Admission refused a write. */
  | { readonly type: 'refused'; readonly reason: RefusalReason; readonly retryAfterMs: number }
  /** The lock, the store or the queue failed, or another owner took over. What can be tried again is. */
  | { readonly type: 'failed'; readonly partition: number; readonly error: unknown }
  /** Events were published and forgotten by the store. */
  | { readonly type: 'published'; readonly partition: number; readonly events: number }
