/** Why a lease can no longer be trusted; the `cause` of the `LOST` error. */
export type LostCause =
  /** No renewal was confirmed in time: the backend hung, or could not be reached, or this process was stopped. */
  | 'expired'
  /** The backend has forgotten it, or gave the key to somebody else. */
  | 'gone'
  /** The backend told that it was taken away, by `force` for example. */
  | 'forced'
  /** It was held for longer than `holdMaxMs`. */
  | 'overdue'
  /** The locks were closed while it was held. */
  | 'closed'

/** What happens inside `createLocks`, for logs and metrics. */
export type LockEvent =
  /** `local`: handed over inside this process, without the backend. */
  | {
      readonly type: 'acquired'
      readonly key: string
      readonly token: bigint
      readonly waitedMs: number
      readonly local: boolean
    }
  /** `confirmed`: it was held until the release. */
  | {
      readonly type: 'released'
      readonly key: string
      readonly token: bigint
      readonly heldMs: number
      readonly confirmed: boolean
    }
  | { readonly type: 'lost'; readonly key: string; readonly token: bigint; readonly cause: LostCause }
  /** Somebody asked for the lease to be given back. */
  | { readonly type: 'asked'; readonly key: string; readonly token: bigint }
  /** A request failed; what it may have done at the backend is undone in the background. */
  | {
      readonly type: 'failed'
      readonly key: string
      readonly operation: 'acquire' | 'renew' | 'release'
      readonly error: unknown
    }
