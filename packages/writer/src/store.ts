/** Where a writer keeps its states and receipts. Made once by the application; several writers can share it under different names. */
export interface Store {
  /** Opens, and creates where needed, what belongs to the writer `name`. */
  open(name: string): Promise<Ledger>
}

/**
 * The durable side of one writer: a thin driver that is told once and says what happened. States, results and events are
 * JSON text. It never retries, waits or caches; a call that throws may or may not have taken effect.
 */
export interface Ledger {
  /**
   * Makes `token` the fencing token of a partition, or, for `null`, one that is greater than every token before.
   * @returns the token now in force for the caller, or `null` when a greater one has been seen.
   */
  seal(partition: number, token: bigint | null): Promise<bigint | null>
  /** The states and receipts that exist among those asked for, in any order. */
  load(keys: readonly string[], ids: readonly string[]): Promise<Loaded>
  /** Writes a batch durably, all or nothing, in one transaction with the fence check. */
  commit(batch: Batch): Promise<CommitOutcome>
  /** Events in the order of their commits, after position `after`, at most `limit`. */
  events(after: number, limit: number): Promise<StoredEvent[]>
  /** The position up to which events have been handed on. */
  relayed(): Promise<number>
  /** Moves that position forward, never back. */
  markRelayed(position: number): Promise<void>
  close(): Promise<void>
}

export interface Batch {
  readonly partition: number
  readonly token: bigint
  readonly states: readonly StoredState[]
  readonly receipts: readonly StoredReceipt[]
  readonly events: readonly NewEvent[]
}

/**
 * - `stale`: a greater token is in force, nothing was written.
 * - `known`: some ids have receipts already, nothing was written; those receipts.
 */
export type CommitOutcome =
  | { readonly type: 'committed' }
  | { readonly type: 'stale' }
  | { readonly type: 'known'; readonly receipts: readonly StoredReceipt[] }

export interface Loaded {
  readonly states: readonly StoredState[]
  readonly receipts: readonly StoredReceipt[]
}

export interface StoredState {
  readonly key: string
  /** How many writes of this key have taken effect; the last of them has this sequence number. */
  readonly sequence: number
  readonly state: string
}

export interface StoredReceipt {
  readonly id: string
  readonly key: string
  readonly sequence: number
  /** Tells two commands apart that came with the same id. */
  readonly fingerprint: string
  readonly result: string
}

export interface NewEvent {
  /** The id of the write that caused it, and its place among the events of that write. */
  readonly id: string
  readonly index: number
  readonly key: string
  readonly body: string
}

export interface StoredEvent extends NewEvent {
  readonly position: number
}
