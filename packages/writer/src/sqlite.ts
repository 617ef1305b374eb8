import { Buffer } from 'node:buffer'
import { DatabaseSync } from 'node:sqlite'
import { checkInteger, HeadraceError } from '@headrace/core'
import type { Batch, CommitOutcome, Ledger, Store, StoredEvent, StoredReceipt, StoredState } from './store.ts'
import { checkWriterName } from './store.ts'

/**
 * A store in one SQLite file, through `node:sqlite` (no flag from Node 22.13 on). Write-ahead log with `synchronous=FULL`:
 * a commit is on the disk before it is answered. It works in the thread of the caller.
 * @param options.busyMs how long a statement waits, blocking, while another process writes to the file; 0 to 60,000, 1,000 by default.
 */
export function sqliteStore(path: string, options: { readonly busyMs?: number } = {}): Store {
  const { busyMs = 1_000 } = options
  if (typeof path !== 'string' || path === '') throw new TypeError('path must be a non-empty string')
  checkInteger('busyMs', busyMs, { min: 0, max: 60_000 })
  return {
    async open(name, partitions) {
      checkWriterName(name)
      let db: DatabaseSync | undefined
      try {
        db = new DatabaseSync(path)
        // The options and properties that do this come with Node 22.16; a pragma and a flag of our own work before, too.
        db.exec(`PRAGMA busy_timeout = ${busyMs}`)
        // A longer log between two checkpoints: random ids touch the same pages again and again before they must be copied.
        db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000')
        db.exec(schema(tablesOf(name)))
        checkPartitions(db, name, partitions)
        return ledgerOf(db, tablesOf(name))
      } catch (error) {
        db?.close()
        if (error instanceof HeadraceError) throw error
        throw new HeadraceError('UNAVAILABLE', `the SQLite file could not be opened: ${(error as Error).message}`, {
          cause: error,
        })
      }
    },
  }
}

// SQLite takes tables whose names differ in case for one, and keeps those that begin with "sqlite_" for itself.
const tablesOf = (name: string) =>
  name.replace(/[A-Z]/g, (letter) => `~${letter.toLowerCase()}`).replace(/^sqlite/, '~~sqlite')

// Receipts keep their rowid, so that a batch appends them to the end of the file; only the index on the id is spread out.
const schema = (tables: string) => `
  CREATE TABLE IF NOT EXISTS headrace_writers (name TEXT PRIMARY KEY, partitions INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS "${tables}_fences" (partition INTEGER PRIMARY KEY, token INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS "${tables}_states" (key TEXT PRIMARY KEY, sequence INTEGER NOT NULL, state TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS "${tables}_receipts" (
    id TEXT PRIMARY KEY, key TEXT NOT NULL, sequence INTEGER NOT NULL, fingerprint TEXT NOT NULL, result TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS "${tables}_events" (
    position INTEGER PRIMARY KEY AUTOINCREMENT, partition INTEGER NOT NULL,
    id TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS "${tables}_outbox" ON "${tables}_events" (partition, position);`

function checkPartitions(db: DatabaseSync, name: string, partitions: number): void {
  db.prepare('INSERT OR IGNORE INTO headrace_writers VALUES (?, ?)').run(name, partitions)
  const found = db.prepare('SELECT partitions FROM headrace_writers WHERE name = ?').get(name) as { partitions: number }
  if (found.partitions !== partitions) {
    throw new HeadraceError('REJECTED', `writer "${name}" has ${found.partitions} partitions, not ${partitions}`)
  }
}

// Node 22 reads a text only up to its first NUL; keys and ids may have one, and are read as the bytes they are.
type Read<Row, Bytes extends keyof Row> = Omit<Row, Bytes> & { readonly [Name in Bytes]: Uint8Array }
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()

// Many rows in one statement cost less than as many statements.
const together = 16
const insertReceipts = (tables: string, rows: number) =>
  `INSERT INTO "${tables}_receipts" VALUES ${Array(rows).fill('(?, ?, ?, ?, ?)').join(', ')} ON CONFLICT DO NOTHING`

function ledgerOf(db: DatabaseSync, tables: string): Ledger {
  const fence = db.prepare(`SELECT token FROM "${tables}_fences" WHERE partition = ?`)
  fence.setReadBigInts(true)
  const setFence = db.prepare(`INSERT OR REPLACE INTO "${tables}_fences" VALUES (?, ?)`)
  const state = db.prepare(`SELECT sequence, state FROM "${tables}_states" WHERE key = ?`)
  const setState = db.prepare(`INSERT INTO "${tables}_states" VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET sequence = excluded.sequence, state = excluded.state`)
  const receipt = db.prepare(`SELECT CAST(key AS BLOB) AS key, sequence, fingerprint, result
    FROM "${tables}_receipts" WHERE id = ?`)
  const addReceipt = db.prepare(insertReceipts(tables, 1))
  const addReceipts = db.prepare(insertReceipts(tables, together))
  const addEvent = db.prepare(`INSERT INTO "${tables}_events" (partition, id, key, body) VALUES (?, ?, ?, ?)`)
  const outbox = db.prepare(
    `SELECT position, CAST(id AS BLOB) AS id, CAST(key AS BLOB) AS key, body
      FROM "${tables}_events" WHERE partition = ? ORDER BY position LIMIT ?`,
  )
  const forget = db.prepare(`DELETE FROM "${tables}_events" WHERE partition = ? AND position <= ?`)

  let closed = false
  const tokenOf = (partition: number) => (fence.get(partition) as { token: bigint } | undefined)?.token ?? 0n
  const receiptsOf = (ids: readonly string[]) =>
    ids.flatMap((id): StoredReceipt[] => {
      const row = receipt.get(id) as Read<StoredReceipt, 'key'> | undefined
      return row ? [{ ...row, id, key: textOf(row.key) }] : []
    })

  /** What failed may have ended the transaction already. */
  function rollBack(): void {
    try {
      db.exec('ROLLBACK')
    } catch {}
  }

  function inTransaction<T>(work: () => T, keep: (result: T) => boolean): T {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec(keep(result) ? 'COMMIT' : 'ROLLBACK')
      return result
    } catch (error) {
      rollBack()
      throw error
    }
  }

  /** False where one of them was there before. */
  function insert(receipts: readonly StoredReceipt[]): boolean {
    let done = 0
    for (; done + together <= receipts.length; done += together) {
      const values: (string | number)[] = []
      for (let index = done; index < done + together; index++) {
        const { id, key, sequence, fingerprint, result } = receipts[index]!
        values.push(id, key, sequence, fingerprint, result)
      }
      if (addReceipts.run(...values).changes !== together) return false
    }
    for (; done < receipts.length; done++) {
      const { id, key, sequence, fingerprint, result } = receipts[done]!
      if (addReceipt.run(id, key, sequence, fingerprint, result).changes === 0) return false
    }
    return true
  }

  function write(batch: Batch): CommitOutcome {
    if (tokenOf(batch.partition) !== batch.token) return { type: 'stale' }
    // Inserting first and asking only on a conflict saves a look-up for every id that is new.
    if (!insert(batch.receipts)) return { type: 'known', receipts: [] }
    for (const row of batch.states) setState.run(row.key, row.sequence, row.state)
    for (const row of batch.events) addEvent.run(batch.partition, row.id, row.key, row.body)
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
        states: keys.flatMap((key): StoredState[] => {
          const row = state.get(key) as Omit<StoredState, 'key'> | undefined
          return row ? [{ ...row, key }] : []
        }),
        receipts: receiptsOf(ids),
      }
    },
    async commit(batch) {
      const outcome = inTransaction(
        () => write(batch),
        (result) => result.type === 'committed',
      )
      if (outcome.type !== 'known') return outcome
      // Inside the transaction that was rolled back, the batch saw its own receipts too; what counts was there before.
      return { type: 'known', receipts: receiptsOf(batch.receipts.map((row) => row.id)) }
    },
    async outbox(partition, limit) {
      const rows = outbox.all(partition, limit) as unknown as Read<StoredEvent, 'id' | 'key'>[]
      return rows.map((row) => ({ ...row, id: textOf(row.id), key: textOf(row.key) }))
    },
    async published(partition, position) {
      // A deletion that a power cut undoes has events published twice, which may happen anyway: not worth a wait for the disk.
      db.exec('PRAGMA synchronous = NORMAL')
      try {
        forget.run(partition, position)
      } finally {
        db.exec('PRAGMA synchronous = FULL')
      }
    },
    async close() {
      if (closed) return
      closed = true
      db.close()
    },
  }
}
