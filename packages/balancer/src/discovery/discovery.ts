import type { EndpointInput } from '../endpoint.ts'

/** Which endpoints exist, as one discovery saw it at one moment. */
export interface Snapshot<Metadata = unknown> {
  readonly endpoints: readonly EndpointInput<Metadata>[]
  /**
   * - `fresh`: the source has just said so. An empty list that is only fresh is not believed: registries answer with one
   *   while they restart.
   * - `stale`: the source cannot be asked; this is the last that was known.
   * - `confirmed-empty`: there are none, and the discovery made sure.
   */
  readonly state: 'fresh' | 'stale' | 'confirmed-empty'
  /** Why it is stale, where the discovery goes on by itself. */
  readonly error?: unknown
}

/** A source of snapshots. */
export interface Discovery<Metadata = unknown> {
  /** What is known without asking, so that the first pick need not wait. */
  readonly initial?: Snapshot<Metadata> | undefined
  /**
   * Yields a snapshot at once and after every change. Ends when nothing will change any more; throws when the source
   * fails, and is then called again after a pause. Stops when `signal` aborts.
   */
  watch(signal: AbortSignal): AsyncIterable<Snapshot<Metadata>>
}
