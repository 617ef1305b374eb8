import { DatabaseSync } from 'node:sqlite'
import { createLocks } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import type { Workload } from './workload.ts'

/**
 * The same work as tutorials write it: take the lock of the key, read, modify, write, unlock, one write at a time, on the
 * same kind of store with the same settings. It runs for a while and stops.
 */
export async function tutorial<State, Command, Result>(
  path: string,
  { initial, decide, requests }: Workload<State, Command, Result>,
  options: { readonly callers: number; readonly durationMs: number },
): Promise<{ readonly answeredPerSec: number }> {
  const { callers, durationMs } = options
  const locks = createLocks(memoryLocks())
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000')
  db.exec('CREATE TABLE states (key TEXT PRIMARY KEY, state TEXT NOT NULL)')
  db.exec('CREATE TABLE done (id TEXT PRIMARY KEY, key TEXT NOT NULL, result TEXT NOT NULL)')
  const read = db.prepare('SELECT state FROM states WHERE key = ?')
  const known = db.prepare('SELECT result FROM done WHERE id = ?')
  const write = db.prepare('INSERT INTO states VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state')
  const insert = db.prepare('INSERT INTO done VALUES (?, ?, ?)')

  let answered = 0
  const startMs = performance.now()
  async function client(): Promise<void> {
    while (answered < requests.length && performance.now() - startMs < durationMs) {
      const { id, key, command } = requests[answered++]!
      await locks.withLock(
        key,
        () => {
          if (known.get(id)) return
          const row = read.get(key) as { state: string } | undefined
          const before = row ? (JSON.parse(row.state) as State) : initial(key)
          const { state = before, result } = decide(before, command)
          // One transaction; with two, as often shown, a crash in between loses an order or an article.
          db.exec('BEGIN IMMEDIATE')
          write.run(key, JSON.stringify(state))
          insert.run(id, key, JSON.stringify(result))
          db.exec('COMMIT')
        },
        { waitMs: 60_000 },
      )
    }
  }
  try {
    await Promise.all(Array.from({ length: callers }, client))
    return { answeredPerSec: answered / ((performance.now() - startMs) / 1e3) }
  } finally {
    await locks.close()
    db.close()
  }
}
