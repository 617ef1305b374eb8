import type { Clock } from '@headrace/core'

/**
 * What a backend of locks must do. Applications use `createLocks`; only backends implement this.
 *
 * A driver is told once and says what happened. It never retries, waits for a lock, renews, batches or logs:
 * `createLocks` does that once, in front of every driver. It throws what its client throws; a `HeadraceError` passes
 * through as it is (throw `REJECTED` for what no repetition can cure), everything else becomes `UNAVAILABLE`.
 */
export interface LockDriver {
  readonly name: string
  readonly supports: LockSupports
  /** Called once by each `createLocks`; several sessions of one driver see the same keys. Must not do I/O. */
  open(events: LockEvents): LockSession
}

/** What differs between backends. The portable type reads it when it is made. */
export interface LockSupports {
  /** Each grant of a key carries a token strictly greater than all of its earlier ones, also after loss of data. */
  readonly fencing: boolean
  /**
   * How a waiter learns of its turn. `pushed`: the backend keeps a queue and `events.granted` tells.
   * `polled`: it keeps a queue, and `renew` of a queued id tells. `none`: no queue; `acquire` is repeated.
   */
  readonly queue: 'pushed' | 'polled' | 'none'
  /** `AcquireRequest.share` is honoured: read leases and permits. */
  readonly shared: boolean
  /** `inspect` answers; else it is not called. */
  readonly inspect: boolean
  /** `evict` works; else it is not called. */
  readonly evict: boolean
  /** How many requests one call may carry, 1 or more. */
  readonly batchMax: number
  /** The shortest and the longest ttl that the backend keeps faithfully. */
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
}

/** What the backend may tell without being asked. Calls for an id that nobody waits for any more are harmless. */
export interface LockEvents {
  /** The time by which `Held.sinceMs` is told. */
  readonly clock: Clock
  /** Begins the id of every request of this session, up to its first dot: 32 hexadecimal digits. */
  readonly session: string
  /** A queued id holds its key now. Telling it twice is harmless. */
  granted(id: string, held: Held): void
  /**
   * The first in line, `id`, need not wait for what it was told when it queued: the present holder has only `leftMs` unless
   * it renews. For backends that give a key for a short time first, until its new holder has answered.
   */
  first?(id: string, leftMs: number): void
  /** A held id holds nothing any more, known before its time was up. */
  lost(id: string): void
  /** Somebody asks the holder `id` to let go. */
  asked(id: string): void
  /** Notices may have been missed, by a broken connection for example: whoever waits asks again. */
  missed(): void
}

/** All methods may be called concurrently. The answers are in the order of the requests. */
export interface LockSession {
  /**
   * Grants, queues (where `waitMs` is above 0 and the backend has a queue) or refuses. An id that is known already
   * gets its present standing: the same request twice is one request.
   */
  acquire(requests: readonly AcquireRequest[]): Promise<readonly Standing[]>
  /** Restarts the ttl of a holder; looks again for a waiter, whose turn may have come by the end of another's ttl. */
  renew(requests: readonly RenewRequest[]): Promise<readonly Standing[]>
  /**
   * Forgets an id, whether it holds or waits: what it held goes to the next in line.
   * True where it held until now; never touches another id. Doing it twice, or for an unknown id, is harmless.
   */
  release(requests: readonly ReleaseRequest[]): Promise<readonly boolean[]>
  /** Null where nobody holds or waits. */
  inspect(key: string): Promise<LockState | null>
  /** Asks every holder to let go (`asked`), or takes the key from them (`lost`). How many holders there were. */
  evict(key: string, how: 'ask' | 'force'): Promise<number>
  /** Gives back what the session itself holds open; the ids it knows are released before. */
  close(): Promise<void>
}

export interface AcquireRequest {
  readonly key: string
  /** Unique for each attempt: the session, a dot, and letters and digits. */
  readonly id: string
  readonly ttlMs: number
  /** How long it may stay queued; 0: do not queue. The backend may drop the place later than that. */
  readonly waitMs: number
  /** How many consecutive tokens to reserve for this grant, 1 or more; giving fewer is allowed. */
  readonly tokens: number
  /** Shown by `inspect`; at most 256 characters. */
  readonly label?: string | undefined
  /** Without it the lease excludes everybody; with it, it takes `weight` of the key's `capacity` and others can take the rest. */
  readonly share?: Share | undefined
}

export interface Share {
  readonly weight: number
  readonly capacity: number
}

export interface RenewRequest {
  readonly key: string
  readonly id: string
  readonly ttlMs: number
  /** For a waiter: how much longer it may stay queued. */
  readonly waitMs: number
}

export interface ReleaseRequest {
  readonly key: string
  readonly id: string
}

/** How an id stands. `gone`: neither holds nor waits; for a new one: somebody else has the key. */
export type Standing = Held | Queued | Gone | Failed

export interface Held {
  readonly state: 'held'
  /** 0n where the driver has no fencing tokens. For a renewal it may be left at 0n. */
  readonly token: bigint
  /** How many tokens, from `token` on, belong to this grant; 1 where it is left out. */
  readonly tokens?: number
  /** The ttl that counts, where it is not the one asked for. */
  readonly ttlMs?: number
  /** The moment of `events.clock` from which the ttl counts; where it is left out: when the request was sent. */
  readonly sinceMs?: number
}

export interface Queued {
  readonly state: 'queued'
  /** After how long the present holder's ttl ends unless it renews: the moment to look again. */
  readonly leftMs?: number
}

export interface Gone {
  readonly state: 'gone'
  readonly leftMs?: number
}

/** This one request failed where the others of its batch did not; `error` is what would have been thrown for it alone. */
export interface Failed {
  readonly state: 'failed'
  readonly error: unknown
}

export interface LockState {
  readonly holders: readonly Party[]
  /** In the order in which they will get it; the first thousand. */
  readonly queue: readonly Party[]
}

export interface Party {
  readonly id: string
  readonly label?: string | undefined
  /** Its fencing token, for a holder whose backend knows it. */
  readonly token?: bigint | undefined
  /** How long it has held or waited, by the backend's clock. */
  readonly forMs: number
  /** How long the backend keeps it unless it renews. */
  readonly leftMs: number
  readonly share?: Share | undefined
}
