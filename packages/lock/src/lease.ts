import { HeadraceError } from '@headrace/core'
import type { LostCause } from './events.ts'
import type { Tenure } from './tenure.ts'

/** What you hold: the key is yours until you release it, or until `signal` aborts. */
export interface Lease extends AsyncDisposable {
  readonly key: string
  /**
   * The fencing token: strictly greater than that of every earlier lease of the key. Send it with each write and let the
   * resource refuse a smaller one. `0n` only where the driver has none and `fencing: 'none'` was chosen.
   */
  readonly token: bigint
  /** Whether the lease can be trusted now. Computed when asked: right on the line after a blocked event loop. */
  readonly held: boolean
  /** For how much longer it could be trusted if no renewal succeeded any more; 0 when it is not held. */
  readonly remainingMs: number
  /** Aborts with a `LOST` error, whose `cause` is a `LostCause`, when the lease can no longer be trusted. Not by `release`. */
  readonly signal: AbortSignal
  /** Aborts when somebody asks for the key with `revoke`. The lease stays valid; letting go soon is a courtesy. */
  readonly wanted: AbortSignal
  /**
   * Runs `work` with the lease's signal: not at all when the lease is lost, and with a `LOST` error instead of its
   * result when the lease was lost meanwhile. What `work` did by then is done: only a fence at the resource undoes it.
   */
  guard<T>(work: (signal: AbortSignal) => Promise<T> | T): Promise<T>
  /**
   * Gives the key back; the same answer however often it is called. False where the lease was lost, or where the backend
   * did not confirm in time that it was held until now; the key is free at the latest when its ttl ends. Never rejects.
   */
  release(): Promise<boolean>
}

/** The lease, and what its line tells it. */
export interface LeaseControl {
  readonly lease: Lease
  lost(cause: LostCause): void
  asked(): void
}

const lostWords: Record<LostCause, string> = {
  expired: 'no renewal was confirmed in time',
  gone: 'the backend no longer knows it',
  forced: 'it was taken away',
  closed: 'the locks were closed',
}

export function lostError(key: string, cause: LostCause): HeadraceError {
  return new HeadraceError('LOST', `the lease on "${key}" is lost: ${lostWords[cause]}`, { cause })
}

export function createLease(tenure: Tenure, token: bigint, giveBack: () => Promise<boolean>): LeaseControl {
  const { key } = tenure
  // Controllers are made when somebody looks: most leases live and end without.
  let signal: AbortController | undefined
  let wanted: AbortController | undefined
  let loss: HeadraceError | undefined
  let isWanted = false
  let released: Promise<boolean> | undefined

  const lease: Lease = {
    key,
    token,
    get held() {
      return released === undefined && tenure.trusted
    },
    get remainingMs() {
      return released !== undefined ? 0 : tenure.trustedForMs
    },
    get signal() {
      if (!signal) {
        signal = new AbortController()
        if (loss) signal.abort(loss)
      }
      return signal.signal
    },
    get wanted() {
      if (!wanted) {
        wanted = new AbortController()
        if (isWanted) wanted.abort()
      }
      return wanted.signal
    },
    async guard(work) {
      // A timer cannot fire while the event loop is blocked, so the question is asked again here.
      if (!lease.held) throw loss ?? notHeld()
      const result = await work(lease.signal)
      if (!lease.held) throw loss ?? notHeld()
      return result
    },
    release() {
      released ??= loss ? Promise.resolve(false) : giveBack()
      return released
    },
    async [Symbol.asyncDispose]() {
      await lease.release()
    },
  }
  const notHeld = () =>
    released !== undefined ? new HeadraceError('LOST', `the lease on "${key}" was released`) : lostError(key, 'expired')

  return {
    lease,
    lost(cause) {
      if (released !== undefined || loss) return
      loss = lostError(key, cause)
      signal?.abort(loss)
    },
    asked() {
      isWanted = true
      wanted?.abort()
    },
  }
}
