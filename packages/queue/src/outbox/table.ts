import { keyOf, type Sql } from '../sql.ts'
import { fromColumn, toColumn } from '../sqlite/text.ts'

/** A message that waits for its relay. */
export interface Waiting {
  readonly position: number
  readonly id: string
  readonly key: string | undefined
  /** JSON, to be read by whoever publishes it: one that cannot be must hold up its own key only. */
  readonly payload: string
  readonly headers: string
  readonly sequence: number | undefined
}

export const portionMax = 256

/** Those of an outbox that wait behind `position`, oldest first, without those of some keys; at most `portionMax`. */
export async function readWaiting(
  sql: Sql,
  outbox: string,
  position: number,
  without: readonly string[],
): Promise<readonly Waiting[]> {
  const keys = padded(without.map(toColumn))
  const rows = await sql.run(read(keys.length), [toColumn(outbox), position, ...keys, portionMax])
  return rows.map((row) => ({
    position: Number(row['position']),
    id: fromColumn(row['id'] as string),
    key: keyOf(row['key'] as string),
    payload: row['payload'] as string,
    headers: row['headers'] as string,
    sequence: row['sequence'] === null ? undefined : Number(row['sequence']),
  }))
}

export async function forget(sql: Sql, outbox: string, positions: readonly number[]): Promise<void> {
  const all = padded(positions)
  await sql.run(remove(all.length), [toColumn(outbox), ...all])
}

// Few lengths, so that a database prepares few statements; what comes twice in a list changes nothing.
function padded<Value>(values: readonly Value[]): readonly Value[] {
  const [first] = values
  if (first === undefined) return values
  const length = [1, 16, portionMax].find((it) => it >= values.length)!
  return [...values, ...Array<Value>(length - values.length).fill(first)]
}

const list = (from: number, count: number) => Array.from({ length: count }, (_, at) => `$${from + at}`).join(', ')

const read = (keys: number) => `SELECT position, id, key, sequence, payload, headers FROM headrace_outbox
  WHERE outbox = $1 AND position > $2 ${keys > 0 ? `AND key NOT IN (${list(3, keys)})` : ''}
  ORDER BY position LIMIT $${3 + keys}`

const remove = (count: number) => `DELETE FROM headrace_outbox WHERE outbox = $1 AND position IN (${list(2, count)})`
