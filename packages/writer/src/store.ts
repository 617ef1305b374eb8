/** Where a writer keeps its states and receipts. Made once by the application; writers share it under different names. */
export interface Store {
  /**
   * Opens, and creates where needed, what belongs to the writer `name`.
   * @throws HeadraceError `REJECTED` when the writer was created with another number of partitions: two numbers at work
   * at once would give one key two owners.
   */
  open(name: string, partitions: number): Promise<Ledger>
}

/**
 * The durable side of one writer: a thin driver that is told once and says what happened. States, results and events are
 * JSON text. It never retries, waits or caches; a call that throws may or may not have taken effect.
 */
export interface Ledger {
  /**
   * Makes `token` the fencing token of a partition, or, for `null`, one that is greater than every token before. From
   * then on no commit with a smaller token succeeds, however long ago it was sent.
   * @returns the token now in force for the caller, or `null` when a greater one has been seen.
   */
  seal(partition: number, token: bigint | null): Promise<bigint | null>
  /** The states and receipts that exist among those asked for, in any order. */
  load(keys: readonly string[], ids: readonly string[]): Promise<Loaded>
  /** Writes a batch durably, all or nothing, in one transaction with the fence check. */
  commit(batch: Batch): Promise<CommitOutcome>
  /** Events of a partition that are not yet published, oldest first, at most `limit`. */
  outbox(partition: number, limit: number): Promise<StoredEvent[]>
  /** Forgets the events of a partition up to `position`; a position is never used again. */
  published(partition: number, position: number): Promise<void>
  close(): Promise<void>
}

export interface Batch {
  readonly partition: number
  readonly token: bigint
  /** Each key once. */
  readonly states: readonly StoredState[]
  /** Each id once. */
  readonly receipts: readonly StoredReceipt[]
  readonly events: readonly NewEvent[]
}

/**
 * - `stale`: another token is in force, nothing was written.
 * - `known`: some ids have receipts already, nothing was written; those receipts, at least one.
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
  /** Unique among the events of the writer, and the same when the event is handed on twice. */
  readonly id: string
  readonly key: string
  readonly body: string
}

export interface StoredEvent extends NewEvent {
  readonly position: number
}

/** @throws RangeError unless `name` is safe as part of a table name, a lock key and a metric. */
export function checkWriterName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_-]{0,47}$/.test(name)) {
    throw new RangeError('name must be 1 to 48 letters, digits, "_" or "-", starting with a letter')
  }
}
