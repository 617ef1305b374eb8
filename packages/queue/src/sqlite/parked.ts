import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { DeadInfo, DeadReason, Delivery, Park, ParkedKey, Settlement } from '../driver.ts'
import type { FileQueue, Line } from './state.ts'
import { messageOf } from './tables.ts'
import { fromColumn, toColumn } from './text.ts'

/** The parked messages of a file. All but the reading is done within a transaction. */
export interface ParkedRows {
  /** Moves the message at a position of its line behind the parked ones of its key. */
  park(line: Line, position: number, park: Park): void
  /** Settles one that is parked, by its tag. */
  settle(line: Line, tag: number, settlement: Settlement): void
  keys(line: Line): string[]
  oldest(line: Line, key: string, max: number): Delivery[]
  list(queue: FileQueue): ParkedKey[]
}

/** Tags of parked messages are below zero, those of others above. */
export const isParkedTag = (tag: number): boolean => tag < 0

export function createParkedRows(db: DatabaseSync): ParkedRows {
  const columns = 'id, key, payload, headers, published_at'
  const of = 'queue = ? AND partition = ? AND key = ?'
  const at = 'queue = ? AND partition = ? AND position = ?'
  const move = db.prepare(`INSERT INTO headrace_parked (queue, partition, position, ${columns}, redeliveries)
    SELECT queue, partition, ?, ${columns}, redeliveries FROM headrace_messages WHERE ${at} AND key IS NOT NULL`)
  const remove = db.prepare(`DELETE FROM headrace_parked WHERE ${at}`)
  const bury = db.prepare(`INSERT INTO headrace_dead SELECT queue, ?, partition, ${columns}, ?, ?, ?, ?
    FROM headrace_parked WHERE ${at}`)
  const keyOf = db.prepare(`SELECT key FROM headrace_parked WHERE ${at}`)
  const leave = db.prepare(`DELETE FROM headrace_messages WHERE ${at}`)
  const addKey = db.prepare('INSERT OR IGNORE INTO headrace_parked_keys (queue, partition, key) VALUES (?, ?, ?)')
  const explain = db.prepare(`UPDATE headrace_parked_keys SET position = ?, reason = ?, error = ?, attempts = ?,
    dead_at = ? WHERE ${of}`)
  const forget = db.prepare(`DELETE FROM headrace_parked_keys WHERE ${of}
    AND NOT EXISTS (SELECT 1 FROM headrace_parked WHERE ${of})`)
  const keysOf = db.prepare('SELECT key FROM headrace_parked_keys WHERE queue = ? AND partition = ?')
  const oldest = db.prepare(`SELECT position, redeliveries, partition, ${columns} FROM headrace_parked
    WHERE ${of} ORDER BY position LIMIT ?`)
  const list = db.prepare('SELECT * FROM headrace_parked_keys WHERE queue = ? ORDER BY partition, key')
  const count = db.prepare(`SELECT count(*) AS waiting, min(position) AS first FROM headrace_parked WHERE ${of}`)

  function explained({ queue, partition }: Line, position: number, key: SQLOutputValue, because: DeadInfo): void {
    const { reason, error, attempts, deadAtMs } = because
    explain.run(position, reason, toColumn(error), attempts, deadAtMs, queue.id, partition, key)
  }

  return {
    park(line, position, { because }) {
      const { queue, partition } = line
      const to = queue.lastParked + 1
      if (move.run(to, queue.id, partition, position).changes === 0) return
      queue.lastParked = to
      queue.parked++
      line.stored -= Number(leave.run(queue.id, partition, position).changes)
      const key = keyOf.get(queue.id, partition, to)!['key']!
      addKey.run(queue.id, partition, key)
      if (because) explained(line, to, key, because)
    },
    settle(line, tag, { dead, park }) {
      const { queue, partition } = line
      const position = -tag
      const key = keyOf.get(queue.id, partition, position)?.['key']
      if (key === undefined) return
      if (park) {
        if (park.because) explained(line, position, key, park.because)
        return
      }
      if (dead) {
        const { reason, error, attempts, deadAtMs } = dead
        bury.run(++queue.lastDead, reason, toColumn(error), attempts, deadAtMs, queue.id, partition, position)
        queue.dead++
      }
      remove.run(queue.id, partition, position)
      queue.parked--
      forget.run(queue.id, partition, key, queue.id, partition, key)
    },
    keys: ({ queue, partition }) => keysOf.all(queue.id, partition).map((row) => fromColumn(row['key'] as string)),
    oldest: ({ queue, partition }, key, max) =>
      oldest.all(queue.id, partition, toColumn(key), max).map((row) => ({
        tag: -(row['position'] as number),
        message: messageOf(row),
        redeliveries: row['redeliveries'] as number,
      })),
    list: (queue) =>
      list.all(queue.id).map((row) => {
        const partition = row['partition'] as number
        const { waiting, first } = count.get(queue.id, partition, row['key']!)!
        const [head] = oldest.all(queue.id, partition, row['key']!, 1)
        const because = row['position'] === first ? becauseOf(row) : undefined
        const id = fromColumn(head!['id'] as string)
        return { key: fromColumn(row['key'] as string), partition, waiting: waiting as number, id, because }
      }),
  }
}

const becauseOf = (row: Record<string, SQLOutputValue>): DeadInfo => ({
  reason: row['reason'] as DeadReason,
  error: fromColumn(row['error'] as string),
  attempts: row['attempts'] as number,
  deadAtMs: row['dead_at'] as number,
})
