import { DatabaseSync } from 'node:sqlite'
import { HeadraceError } from '@headrace/core'
import type { Batch, CommitOutcome, Ledger, Store, StoredEvent, StoredReceipt, StoredState } from './store.ts'

/**
 * A store in one SQLite file, through `node:sqlite` (no flag from Node 22.13 on). Write-ahead log with `synchronous=FULL`:
 * a commit is on the disk before it is answered. It works in the thread of the caller.
 * @param options.busyMs how long a statement waits, blocking, while another process writes to the file; 1,000 by default.
 */
export function sqliteStore(path: string, options: { readonly busyMs?: number } = {}): Store {
  const { busyMs = 1_000 } = options
  return {
    async open(name) {
      // The name becomes part of table names; it is checked here, where it would do harm.
      if (!/^[A-Za-z][A-Za-z0-9_]{0,47}$/.test(name)) {
        throw new RangeError(
          'a writer on SQLite needs a name of letters, digits and _, at most 48, starting with a letter',
        )
      }
      const db = new DatabaseSync(path, { timeout: busyMs })
      try {
        db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
        db.exec(schema(name))
        return ledgerOf(db, name)
      } catch (error) {
        db.close()
        throw new HeadraceError('UNAVAILABLE', `the SQLite file could not be opened: ${(error as Error).message}`, {
          cause: error,
        })
      }
    },
  }
}

const schema = (name: string) => `
  CREATE TABLE IF NOT EXISTS "${name}_fences" (partition INTEGER PRIMARY KEY, token INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS "${name}_states" (key TEXT PRIMARY KEY, sequence INTEGER NOT NULL, state TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS "${name}_receipts" (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, sequence INTEGER NOT NULL, fingerprint TEXT NOT NULL, result TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS "${name}_events" (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL, "index" INTEGER NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS "${name}_relay" (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);`

function ledgerOf(db: DatabaseSync, name: string): Ledger {
  const fence = db.prepare(`SELECT token FROM "${name}_fences" WHERE partition = ?`)
  fence.setReadBigInts(true)
  const setFence = db.prepare(`INSERT OR REPLACE INTO "${name}_fences" VALUES (?, ?)`)
  const state = db.prepare(`SELECT key, sequence, state FROM "${name}_states" WHERE key = ?`)
  const setState = db.prepare(`INSERT OR REPLACE INTO "${name}_states" VALUES (?, ?, ?)`)
  const receipt = db.prepare(`SELECT id, key, sequence, fingerprint, result FROM "${name}_receipts" WHERE id = ?`)
  const addReceipt = db.prepare(`INSERT INTO "${name}_receipts" VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
  const addEvent = db.prepare(`INSERT INTO "${name}_events" (id, "index", key, body) VALUES (?, ?, ?, ?)`)
  const events = db.prepare(`SELECT * FROM "${name}_events" WHERE position > ? ORDER BY position LIMIT ?`)
  const relayed = db.prepare(`SELECT position FROM "${name}_relay"`)
  const setRelayed = db.prepare(
    `INSERT INTO "${name}_relay" VALUES (1, ?) ON CONFLICT DO UPDATE SET position = max(position, excluded.position)`,
  )

  const tokenOf = (partition: number) => (fence.get(partition) as { token: bigint } | undefined)?.token ?? 0n
  const receiptsOf = (ids: readonly string[]) =>
    ids.flatMap((id) => (receipt.get(id) as unknown as StoredReceipt | undefined) ?? [])

  function inTransaction<T>(work: () => T, keep: (result: T) => boolean): T {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec(keep(result) ? 'COMMIT' : 'ROLLBACK')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  function write(batch: Batch): CommitOutcome {
    if (tokenOf(batch.partition) !== batch.token) return { type: 'stale' }
    for (const { id, key, sequence, fingerprint, result } of batch.receipts) {
      // Inserting first and asking only on a conflict saves a look-up for every id that is new.
      if (addReceipt.run(id, key, sequence, fingerprint, result).changes === 0) return { type: 'known', receipts: [] }
    }
    for (const row of batch.states) setState.run(row.key, row.sequence, row.state)
    for (const row of batch.events) addEvent.run(row.id, row.index, row.key, row.body)
    return { type: 'committed' }
  }

  return {
    async seal(partition, token) {
      return inTransaction(
        () => {
          const last = tokenOf(partition)
          if (token !== null && token < last) return null
          const sealed = token ?? last + 1n
          setFence.run(partition, sealed)
          return sealed
        },
        (sealed) => sealed !== null,
      )
    },
    async load(keys, ids) {
      return {
        states: keys.flatMap((key) => (state.get(key) as unknown as StoredState | undefined) ?? []),
        receipts: receiptsOf(ids),
      }
    },
    async commit(batch) {
      const outcome = inTransaction(
        () => write(batch),
        (result) => result.type === 'committed',
      )
      // The rolled back transaction showed receipts of its own batch; what was there before is what counts.
      return outcome.type === 'known'
        ? { type: 'known', receipts: receiptsOf(batch.receipts.map((row) => row.id)) }
        : outcome
    },
    async events(after, limit) {
      return events.all(after, limit) as unknown as StoredEvent[]
    },
    async relayed() {
      return (relayed.get() as { position: number } | undefined)?.position ?? 0
    },
    async markRelayed(position) {
      setRelayed.run(position)
    },
    async close() {
      if (db.isOpen) db.close()
    },
  }
}
