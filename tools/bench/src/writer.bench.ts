import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createLocks } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { createWriter } from '@headrace/writer'
import { sqliteStore } from '@headrace/writer/sqlite'
import { type Bench, type BenchContext, type Contestant, defineBench } from './bench.ts'
import { closedLoop } from './closed-loop.ts'

const callers = 256
const pragmas = 'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000'

/** Which key the write number `index` goes to, and under which id. */
interface Load {
  readonly keyOf: (context: BenchContext) => (index: number) => string
  readonly idOf: (index: number) => string
}

// Like the ids that a writer makes up: in order of time.
const orderedId = (index: number) => `019a${String(index).padStart(28, '0')}`

const loads: Record<string, Load> = {
  'hot key': { keyOf: () => () => 'sku-1', idOf: orderedId },
  'hot key, random ids': { keyOf: () => () => 'sku-1', idOf: () => randomUUID() },
  'Zipf(1.1) over 10,000 keys': { keyOf: ({ random }) => zipfKeys(10_000, 1.1, random.next), idOf: orderedId },
  'uniform over 10,000 keys': {
    keyOf:
      ({ random }) =>
      () =>
        `sku-${Math.floor(random.next() * 10_000)}`,
    idOf: orderedId,
  },
}

function zipfKeys(keys: number, exponent: number, uniform: () => number): () => string {
  const cumulative = new Float64Array(keys)
  let total = 0
  for (let rank = 0; rank < keys; rank++) {
    total += 1 / (rank + 1) ** exponent
    cumulative[rank] = total
  }
  return () => {
    const sought = uniform() * total
    let low = 0
    let high = keys - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulative[middle]! > sought) high = middle
      else low = middle + 1
    }
    return `sku-${low}`
  }
}

async function withFile<T>(work: (path: string) => Promise<T> | T): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
  try {
    return await work(join(folder, 'bench.db'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const throughWriter =
  ({ keyOf, idOf }: Load): Contestant =>
  (context) =>
    withFile(async (path) => {
      const writer = createWriter({
        name: 'sale',
        initial: () => ({ left: 1_000_000_000 }),
        decide: (stock: { left: number }, order: { buyer: string; quantity: number }) =>
          order.quantity <= stock.left
            ? { state: { left: stock.left - order.quantity }, result: 'sold' }
            : { result: 'sold-out' },
        store: sqliteStore(path),
        locks: createLocks(memoryLocks()),
      })
      const key = keyOf(context)
      const call = (_: number, index: number) =>
        writer.write(key(index), { buyer: 'ada', quantity: 1 }, { id: idOf(index) })
      const { answeredPerSec, p99Ms } = await closedLoop(context, { callers, call })
      await writer.close()
      return { answeredPerSec, p99Ms }
    })

/** Lock, read, modify, write, unlock, each write in a transaction of its own. */
const asInTutorials =
  ({ keyOf, idOf }: Load): Contestant =>
  (context) =>
    withFile(async (path) => {
      using db = new DatabaseSync(path)
      await using locks = createLocks(memoryLocks())
      db.exec(pragmas)
      db.exec('CREATE TABLE stock (sku TEXT PRIMARY KEY, amount INTEGER NOT NULL)')
      db.exec('CREATE TABLE orders (id TEXT PRIMARY KEY, sku TEXT NOT NULL, buyer TEXT NOT NULL)')
      const read = db.prepare('SELECT amount FROM stock WHERE sku = ?')
      const write = db.prepare('INSERT INTO stock VALUES (?, ?) ON CONFLICT DO UPDATE SET amount = excluded.amount')
      const insert = db.prepare('INSERT INTO orders VALUES (?, ?, ?)')
      const key = keyOf(context)
      const call = (_: number, index: number) => {
        const sku = key(index)
        return locks.withLock(sku, () => {
          const { amount } = (read.get(sku) as { amount: number } | undefined) ?? { amount: 1_000_000_000 }
          if (amount < 1) return
          db.exec('BEGIN IMMEDIATE')
          write.run(sku, amount - 1)
          insert.run(idOf(index), sku, 'ada')
          db.exec('COMMIT')
        })
      }
      const { answeredPerSec, p99Ms } = await closedLoop(context, { callers, call })
      return { answeredPerSec, p99Ms }
    })

/** The limit: the rows that the writer stores, inserted in transactions as large as its batches, with nobody to answer. */
const rawBatches =
  ({ keyOf, idOf }: Load): Contestant =>
  (context) =>
    withFile((path) => {
      using db = new DatabaseSync(path)
      db.exec(pragmas)
      db.exec('CREATE TABLE states (key TEXT PRIMARY KEY, sequence INTEGER NOT NULL, state TEXT NOT NULL)')
      db.exec(`CREATE TABLE receipts (id TEXT PRIMARY KEY, key TEXT NOT NULL, sequence INTEGER NOT NULL,
        fingerprint TEXT NOT NULL, result TEXT NOT NULL)`)
      const receipt = db.prepare('INSERT INTO receipts VALUES (?, ?, ?, ?, ?)')
      const state = db.prepare(`INSERT INTO states VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET sequence = excluded.sequence, state = excluded.state`)
      const key = keyOf(context)
      const startMs = performance.now()
      let rows = 0
      while (performance.now() - startMs < context.durationMs) {
        const touched = new Set<string>()
        db.exec('BEGIN IMMEDIATE')
        for (const end = rows + callers; rows < end; rows++) {
          const sku = key(rows)
          receipt.run(idOf(rows), sku, rows, '1a2b3c4d5e6f7', '"sold"')
          touched.add(sku)
        }
        for (const sku of touched) state.run(sku, rows, '{"left":999999999}')
        db.exec('COMMIT')
      }
      return { answeredPerSec: (rows / (performance.now() - startMs)) * 1e3 }
    })

const bench: Bench = defineBench({
  about:
    'One writer on a SQLite file, 256 callers, beside the pattern of the tutorials and beside the limit of the file.',
  cases: Object.entries(loads).map(([name, load]) => ({
    name,
    metrics: { answeredPerSec: '1/s', p99Ms: 'ms' },
    ours: throughWriter(load),
    peers: { 'lock, read, modify, write': asInTutorials(load), 'raw batch insert': rawBatches(load) },
  })),
})
export default bench
