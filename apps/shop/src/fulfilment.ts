import { DatabaseSync } from 'node:sqlite'
import { createBalancer, staticEndpoints } from '@headrace/balancer'
import { HeadraceError, type Random, randomBelow, systemClock } from '@headrace/core'
import { createQueue, type Queue } from '@headrace/queue'
import { sqliteQueue } from '@headrace/queue/sqlite'
import type { Accepted } from './stock.ts'

/** What happens to an order after it was accepted: a warehouse takes it, and it gets its row in the table of orders. */
export interface Fulfilment extends AsyncDisposable {
  /** On the disk: what it has confirmed to the writer outlives a process that is killed. */
  readonly queue: Queue<Accepted>
  /** Resolves when every order that was queued has its row. @throws HeadraceError `TIMEOUT` after half a minute. */
  drained(): Promise<void>
  /** Orders that each warehouse has taken. */
  readonly taken: ReadonlyMap<string, number>
}

/**
 * @param path the database of the sale; the orders are in the same file, written through a connection of their own, and what
 * is on its way to them in a second file beside it, `PATH.queue`.
 */
export function openFulfilment(path: string, { random }: { readonly random: Random }): Fulfilment {
  const db = new DatabaseSync(path, { timeout: 5_000 })
  // A message is settled when its row is on the disk, not before.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  db.exec(`CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, sku TEXT NOT NULL, buyer TEXT NOT NULL, quantity INTEGER NOT NULL, warehouse TEXT NOT NULL)`)
  // A queue delivers at least once; the same order again changes nothing.
  const insert = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')

  const taken = new Map<string, number>()
  const warehouses = ['north', 'south', 'west'].map((address, index) => ({ address, metadata: { distance: index } }))
  const balancer = createBalancer(staticEndpoints(warehouses))
  const driver = sqliteQueue(`${path}.queue`)
  const queue = createQueue<Accepted>(driver, 'orders', { partitions: 4 })

  // Each warehouse takes its own time to answer, and now and then one does not.
  async function reserve(distance: number): Promise<void> {
    await systemClock.sleep(1 + distance + randomBelow(random, 3))
    if (random.next() < 0.02) throw new HeadraceError('UNAVAILABLE', 'the warehouse does not answer')
  }

  queue.consumeBatch(
    async (messages, { signal }) => {
      const warehouse = await balancer.call(
        async ({ address, metadata }) => {
          await reserve(metadata!.distance)
          return address
        },
        { signal, idempotent: true },
      )
      db.exec('BEGIN IMMEDIATE')
      for (const { key: sku = '', body } of messages) insert.run(body.order, sku, body.buyer, body.quantity, warehouse)
      db.exec('COMMIT')
      taken.set(warehouse, (taken.get(warehouse) ?? 0) + messages.length)
    },
    { sizeMax: 500 },
  )

  return {
    queue,
    taken,
    async drained() {
      const endMs = systemClock.nowMs() + 30_000
      while (systemClock.nowMs() < endMs) {
        const { depth, held } = await queue.stats()
        if (depth + held === 0) return
        await systemClock.sleep(5)
      }
      throw new HeadraceError('TIMEOUT', 'the orders were not stored within 30 s')
    },
    async [Symbol.asyncDispose]() {
      await queue.close()
      await driver.close()
      await balancer.close()
      db.close()
    },
  }
}
