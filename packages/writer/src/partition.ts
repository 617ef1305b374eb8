import { type Clock, exponentialBackoff, type Observer, type Random } from '@headrace/core'
import type { Locks } from '@headrace/lock'
import type { Decide } from './decision.ts'
import type { WriterEvent } from './events.ts'
import type { JsonGuard } from './json.ts'
import { createLane, type Lane, type LaneOptions } from './lane.ts'
import { createOwnership } from './ownership.ts'
import { createRelay, type EventSink } from './relay.ts'
import type { Ledger } from './store.ts'

/** A share of the keys, with all that its one owner needs: the line, the lease and the way out for events. */
export interface Partition<Command, Result> {
  readonly lane: Lane<Command, Result>
  /** Resolves when no write waits and every event is published. */
  drained(): Promise<void>
  /** Ends what is under way by itself and gives the lease back. */
  close(): Promise<void>
}

export function createPartition<State, Command, Result, Event>(
  partition: number,
  options: {
    readonly name: string
    readonly initial: (key: string) => State
    readonly decide: Decide<State, Command, Result, Event>
    readonly guard: JsonGuard
    readonly openLedger: () => Promise<Ledger>
    readonly locks: Locks | undefined
    readonly queue: EventSink<Event> | undefined
    readonly batchMax: number
    readonly statesMax: number
    readonly storeTimeoutMs: number
    readonly clock: Clock
    readonly random: Random
    readonly emit: Observer<WriterEvent> | undefined
    readonly settled: LaneOptions<State, Command, Result, Event>['settled']
  },
): Partition<Command, Result> {
  const { name, queue, emit, storeTimeoutMs, random } = options
  const backoff = exponentialBackoff({ delayMinMs: 20, delayMaxMs: 1_000, random })
  const shared = {
    ...options,
    partition,
    backoff,
    failed: (error: unknown) => emit?.({ type: 'failed', partition, error }),
  }
  const published = (events: number) => emit?.({ type: 'published', partition, events })
  const relay = queue && createRelay({ ...shared, sink: queue, timeoutMs: storeTimeoutMs, published })
  const ownership = createOwnership<State>({
    ...shared,
    lockKey: `headrace/writer/${name}/${partition}`,
    began({ ledger, token }) {
      emit?.({ type: 'owned', partition, token })
      // A predecessor may have left events behind.
      relay?.poke(ledger)
    },
  })
  const lane = createLane({
    ...shared,
    withEvents: queue !== undefined,
    ownership,
    committed(ledger, batch, ms) {
      const { receipts, events } = batch
      emit?.({ type: 'committed', partition, writes: receipts.length, events: events.length, ms })
      if (events.length > 0) relay?.poke(ledger)
    },
  })
  return {
    lane,
    async drained() {
      await lane.drained()
      await relay?.drained()
    },
    async close() {
      relay?.stop()
      await ownership.close()
    },
  }
}
