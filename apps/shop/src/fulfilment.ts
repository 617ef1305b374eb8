import { DatabaseSync } from 'node:sqlite'
import { createBalancer, staticEndpoints } from '@headrace/balancer'
import { HeadraceError, type Random, randomBelow, systemClock } from '@headrace/core'
import { createQueue, type Queue } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import type { Accepted, Sale } from './stock.ts'

type Sold = Extract<Sale, { sold: number }>

/** What happens to an order after it was accepted: a warehouse takes it, and it gets its row in the table of orders. */
export interface Fulfilment extends AsyncDisposable {
  readonly queue: Queue<Accepted>
  /**
   * Queues again what was sold by the writer `sale` and has no row: the queue is in memory, and a process that was killed
   * took it along.
   */
  resume(): Promise<void>
  /** Resolves when every order that was queued has its row. @throws HeadraceError `TIMEOUT` after half a minute. */
  drained(): Promise<void>
  /** Orders that each warehouse has taken. */
  readonly taken: ReadonlyMap<string, number>
}

/** @param path the database of the sale; the orders are in the same file, written through a connection of their own. */
export function openFulfilment(path: string, { random }: { readonly random: Random }): Fulfilment {
  const db = new DatabaseSync(path, { timeout: 5_000 })
  // What a power cut takes from this table, `resume` brings again: no need to wait for the disk.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  db.exec(`CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, sku TEXT NOT NULL, buyer TEXT NOT NULL, quantity INTEGER NOT NULL, warehouse TEXT NOT NULL)`)
  // A queue delivers at least once; the same order again changes nothing.
  const insert = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')

  const taken = new Map<string, number>()
  const warehouses = ['north', 'south', 'west'].map((address, index) => ({ address, metadata: { distance: index } }))
  const balancer = createBalancer(staticEndpoints(warehouses))
  const queue = createQueue<Accepted>(memoryQueue(), 'orders', { partitions: 4 })

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
    async resume() {
      const missing = db.prepare(`SELECT id, key, result FROM sale_receipts
        WHERE result LIKE '{"sold":%' AND id NOT IN (SELECT id FROM orders)`)
      for (const { id, key, result } of missing.all() as { id: string; key: string; result: string }[]) {
        const { sold: quantity, buyer } = JSON.parse(result) as Sold
        await queue.publish({ order: id, buyer, quantity }, { key, id })
      }
    },
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
      await balancer.close()
      db.close()
    },
  }
}
