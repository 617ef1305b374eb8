import {
  type Clock,
  checkFunction,
  checkInteger,
  checkNumber,
  cryptoRandom,
  type Observer,
  type Random,
  systemClock,
} from '@headrace/core'
import type { Locks } from '@headrace/lock'
import type { Decide } from './decision.ts'
import type { WriterEvent } from './events.ts'
import type { EventSink } from './relay.ts'
import { checkWriterName, type Store } from './store.ts'

export interface WriterOptions<State, Command, Result, Event = never> {
  /** Names what the store keeps and the locks: 1 to 48 letters, digits, "_" or "-", starting with a letter. */
  readonly name: string
  /** The state of a key that has never been written: a JSON value, the same at every call. */
  readonly initial: (key: string) => State
  readonly decide: Decide<State, Command, Result, Event>
  readonly store: Store
  /** Who may own a partition. Without locks, whoever came last owns it: enough where one process writes. */
  readonly locks?: Locks | undefined
  /** Where the events of decisions are published. */
  readonly queue?: EventSink<Event> | undefined
  /** Fixed when the writer is first opened on a store; 1 to 4,096, 1 by default. */
  readonly partitions?: number
  /** 5,000 by default. */
  readonly deadlineMs?: number
  /** How many calls may wait for their answer: 10,000 by default. */
  readonly waitingMax?: number
  /** How long their commands may be together, as JSON: 67,108,864 characters by default. */
  readonly waitingLengthMax?: number
  /** How long one command may be, as JSON: 65,536 characters by default. */
  readonly commandLengthMax?: number
  /** Writes in one commit: 1,000 by default. */
  readonly batchMax?: number
  /** States that are remembered besides the store, between once and twice that many over all partitions: 10,000 by default. */
  readonly statesMax?: number
  /** Receipts that are remembered besides the store, between once and twice that many: 10,000 by default. */
  readonly receiptsMax?: number
  /** How long one call to the store or the queue may take: 5,000 by default. */
  readonly storeTimeoutMs?: number
  /** How long `close` waits for what is in line, and for events on their way to the queue: 10,000 by default. */
  readonly drainMs?: number
  readonly clock?: Clock
  readonly random?: Random
  readonly observe?: Observer<WriterEvent>
}

/** The options of a writer with nothing left open. */
export type Settings<State, Command, Result, Event> = {
  readonly [Option in keyof WriterOptions<State, Command, Result, Event>]-?: Option extends
    | 'locks'
    | 'queue'
    | 'observe'
    ? WriterOptions<State, Command, Result, Event>[Option] | undefined
    : Exclude<WriterOptions<State, Command, Result, Event>[Option], undefined>
}

/** The options with every default filled in. @throws TypeError or RangeError naming the option that is out of range. */
export function checkedOptions<State, Command, Result, Event>(
  options: WriterOptions<State, Command, Result, Event>,
): Settings<State, Command, Result, Event> {
  const { name, initial, decide, store, locks, queue, partitions = 1, deadlineMs = 5_000, observe } = options
  const { waitingMax = 10_000, waitingLengthMax = 64 * 2 ** 20, commandLengthMax = 65_536, batchMax = 1_000 } = options
  const { statesMax = 10_000, receiptsMax = 10_000, storeTimeoutMs = 5_000, drainMs = 10_000 } = options
  const { clock = systemClock, random = cryptoRandom } = options
  checkWriterName(name)
  checkFunction('initial', initial)
  checkFunction('decide', decide)
  checkFunction('store.open', store?.open)
  if (locks) checkFunction('locks.acquire', locks.acquire)
  if (queue) checkFunction('queue.publish', queue.publish)
  checkInteger('partitions', partitions, { min: 1, max: 4_096 })
  const counts = { waitingMax, waitingLengthMax, commandLengthMax, batchMax, statesMax, receiptsMax }
  for (const [option, value] of Object.entries(counts)) checkInteger(option, value, { min: 1 })
  checkNumber('deadlineMs', deadlineMs, { min: Number.MIN_VALUE })
  checkNumber('storeTimeoutMs', storeTimeoutMs, { min: Number.MIN_VALUE })
  checkNumber('drainMs', drainMs, { min: 0 })
  const parts = { name, initial, decide, store, locks, queue, clock, random, observe }
  return { ...parts, ...counts, partitions, deadlineMs, storeTimeoutMs, drainMs }
}
