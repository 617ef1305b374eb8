import { seededRandom } from '@headrace/core'
import { createLocks } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { createWriter } from '@headrace/writer'
import { sqliteStore } from '@headrace/writer/sqlite'
import { auditCounters, auditSale, type Invariants } from './audit.ts'
import type { Count, Counter, Increment } from './counter.ts'
import type { FlashSale } from './flash-sale.ts'
import { type Flood, flood } from './flood.ts'
import { openFulfilment } from './fulfilment.ts'
import type { Workload } from './workload.ts'

/** How a run came out. */
export interface Outcome {
  readonly flood: Flood<unknown>
  readonly batches: number
  /** Writes that found nothing to sell. */
  readonly refused: number
  /** Writes that took effect otherwise. */
  readonly accepted: number
  readonly invariants: Invariants
  /** Orders that each warehouse has taken. */
  readonly warehouses: ReadonlyMap<string, number>
}

interface RunOptions {
  readonly callers: number
  readonly seed: number
  readonly answered: (count: number) => void
}

/** Sells: the writer decides and commits, its events go through the queue to fulfilment, and then the file is audited. */
export async function runSale(path: string, sale: FlashSale, options: RunOptions): Promise<Outcome> {
  const { initial, decide, stock, requests } = sale
  await using fulfilment = openFulfilment(path, { random: seededRandom(options.seed) })
  await using locks = createLocks(memoryLocks())
  await using writer = createWriter({
    ...{ name: 'sale', initial, decide, store: sqliteStore(path), locks },
    queue: fulfilment.queue,
  })
  const seen = await flood(writer, requests, options)
  const { batches } = writer.stats()
  // Closing hands on what is left in the outbox; then the queue can run dry.
  await writer.close()
  await fulfilment.drained()
  const accepted = [...seen.answers.values()].filter(({ result }) => 'sold' in result).length
  const refused = seen.answers.size - accepted
  const invariants = auditSale(path, stock, seen.answers)
  return { flood: seen, batches, accepted, refused, invariants, warehouses: fulfilment.taken }
}

/** Counts: the same writer with another rule, and nothing behind it. */
export async function runCounters(
  path: string,
  { initial, decide, requests }: Workload<Counter, Increment, Count>,
  options: RunOptions,
): Promise<Outcome> {
  await using locks = createLocks(memoryLocks())
  await using writer = createWriter({ name: 'counters', initial, decide, store: sqliteStore(path), locks })
  const seen = await flood(writer, requests, options)
  const { batches } = writer.stats()
  await writer.close()
  const invariants = auditCounters(path, requests, seen.answers)
  return { flood: seen, batches, accepted: seen.answers.size, refused: 0, invariants, warehouses: new Map() }
}
