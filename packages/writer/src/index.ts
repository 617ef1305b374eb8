export type { Decide, Decision } from './decision.ts'
export type { WriterEvent } from './events.ts'
export type { WriterOptions } from './options.ts'
export type { Receipt } from './pending.ts'
export type { EventSink } from './relay.ts'
export type {
  Batch,
  CommitOutcome,
  Ledger,
  Loaded,
  NewEvent,
  Store,
  StoredEvent,
  StoredReceipt,
  StoredState,
} from './store.ts'
export { createWriter, type WriteOptions, type Writer, type WriterStats } from './writer.ts'
