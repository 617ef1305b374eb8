import type { HeadraceError } from '@headrace/core'
import { type ManualClock, manualClock } from '@headrace/core/testing'
import {
  createWriter,
  type Decide,
  type Ledger,
  type Receipt,
  type Store,
  type Writer,
  type WriterEvent,
  type WriterOptions,
} from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'

export interface Stock {
  readonly left: number
}
export interface Order {
  readonly quantity: number
}
export type Answer = 'sold' | 'sold-out'

export const sell: Decide<Stock, Order, Answer, string> = (stock, { quantity }) =>
  quantity <= stock.left ? { state: { left: stock.left - quantity }, result: 'sold' } : { result: 'sold-out' }

export const never = (): Promise<never> => new Promise(() => {})

/** A store whose ledgers are changed by the test. */
export function changed(store: Store, change: (good: Ledger) => Partial<Ledger>): Store {
  return {
    async open(name, partitions) {
      const good = await store.open(name, partitions)
      return { ...good, ...change(good) }
    },
  }
}

type Options = Partial<WriterOptions<Stock, Order, Answer, string>>

export interface Subject {
  readonly clock: ManualClock
  readonly store: Store
  /** The store past the changes of the test. */
  readonly good: Store
  readonly events: WriterEvent[]
  readonly writer: Writer<Stock, Order, Answer>
  /** Another writer of the same name on the same store. */
  create(own?: Options): Writer<Stock, Order, Answer>
  /** The ledger past the changes of the test. */
  ledger(): Promise<Ledger>
}

/** A writer that sells from a stock of ten, on a memory store, in a time that stands still. */
export function setup(
  options: Options & { readonly change?: (good: Ledger, clock: ManualClock) => Partial<Ledger> },
): Subject {
  const { change, ...rest } = options
  const clock = manualClock()
  const good = memoryStore()
  const events: WriterEvent[] = []
  const store = change ? changed(good, (ledger) => change(ledger, clock)) : good
  const create = (own: Options = {}) =>
    createWriter<Stock, Order, Answer, string>({
      name: 'sale',
      initial: () => ({ left: 10 }),
      decide: sell,
      store,
      clock,
      observe: (event) => events.push(event),
      ...rest,
      ...own,
    })
  const ledger = () => good.open('sale', rest.partitions ?? 1)
  return { clock, store, good, events, create, ledger, writer: create() }
}

export interface Ending {
  readonly atMs: number
  readonly code?: string
  readonly sequence?: number
  readonly result?: unknown
  readonly replayed?: boolean
}

/** How a write ends, and when. */
export const ending = (clock: ManualClock, work: Promise<Receipt<unknown>>): Promise<Ending> =>
  work.then(
    ({ sequence, result, replayed }) => ({ sequence, result, replayed, atMs: clock.nowMs() }),
    (error: HeadraceError) => ({ code: error.code, atMs: clock.nowMs() }),
  )

/** A promise that the test settles. */
export const gate = (): PromiseWithResolvers<void> => Promise.withResolvers<void>()
