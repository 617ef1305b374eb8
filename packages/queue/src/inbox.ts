import { type Claimed, checkedInbox, type InboxOptions } from './inbox/options.ts'
import { type Claim, claimOf, fromText, isDuplicate, isNew, toText } from './inbox/watermark.ts'
import { type Sequence, sequenceOf } from './sequence.ts'
import { keyColumn, runSteps, type Sql, type Steps, type SyncSql } from './sql.ts'
import { toColumn } from './sqlite/text.ts'

export { createMemoryInbox, type MemoryInbox } from './inbox/memory.ts'
export type { Claimed, InboxEvent, InboxOptions } from './inbox/options.ts'
export type { Claim, Range } from './inbox/watermark.ts'
export { sequenceHeaders } from './sequence.ts'

/** Says which messages have had their effect, in the transaction of the effect itself. */
export interface Inbox {
  /** Statements that make its tables, one at a time; harmless where they exist. */
  schema(dialect: Sql['dialect']): readonly string[]
  /**
   * Takes a message as done, if the transaction of `sql` commits. Where the answer is not `fresh` there must be no effect:
   * a `duplicate` has had it, a message behind a `gap` is to be tried again (throw).
   *
   * Two transactions that claim messages of one key wait for each other; at the usual isolation levels the second sees
   * what the first has done, or fails and is to be repeated.
   * @throws what `sql` throws, and a rejection for a message whose number cannot be read.
   */
  claim(sql: SyncSql, message: Claimed): Claim
  claim(sql: Sql, message: Claimed): Promise<Claim> | Claim
}

/**
 * An inbox in the database of the effects. Of messages that are numbered, by an outbox or with `sequenceHeaders`, it keeps
 * one row for each key and source: it grows with the keys, never with the messages, and forgets nothing. Of others it keeps
 * the last ids of each key.
 */
export function createInbox(options: InboxOptions): Inbox {
  const { consumer, onGap, idsMax, tell } = checkedInbox(options)

  function* numbered(key: string, { source, number }: Sequence): Steps<Claim> {
    const place = [consumer, toColumn(source), key]
    if (number > 1 && (yield [advance, [number, ...place, number - 1]]).length > 0) return isNew
    const [row] = yield [lock, place]
    const before = fromText(Number(row!['sequence']), row!['missing'] as string)
    const { claim, mark } = claimOf(before, number, onGap)
    if (mark !== before) yield [store, [mark.number, toText(mark), ...place]]
    return claim
  }

  function* byId(key: string, id: string): Steps<Claim> {
    const place = [consumer, '', key]
    const [row] = yield [count, place]
    const position = Number(row!['sequence'])
    const added = yield [remember, [consumer, key, toColumn(id), position]]
    if (added.length === 0) return isDuplicate
    yield [forget, [consumer, key, position - idsMax]]
    return isNew
  }

  function* claiming(message: Claimed): Steps<Claim> {
    const key = keyColumn(message.key)
    const sequence = sequenceOf(message)
    const claim = sequence ? yield* numbered(key, sequence) : yield* byId(key, message.id)
    tell(claim, message)
    return claim
  }

  return {
    schema: () => tables,
    // One of the two, as the caller's `sql` answers.
    claim: ((sql: Sql, message: Claimed) => runSteps(sql, claiming(message))) as Inbox['claim'],
  }
}

const tables = [
  `CREATE TABLE IF NOT EXISTS headrace_inbox (
    consumer TEXT NOT NULL, source TEXT NOT NULL, key TEXT NOT NULL, sequence BIGINT NOT NULL, missing TEXT NOT NULL,
    PRIMARY KEY (consumer, source, key))`,
  `CREATE TABLE IF NOT EXISTS headrace_inbox_ids (
    consumer TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, sequence BIGINT NOT NULL,
    PRIMARY KEY (consumer, key, id))`,
  'CREATE INDEX IF NOT EXISTS headrace_inbox_ids_age ON headrace_inbox_ids (consumer, key, sequence)',
]

const advance = `UPDATE headrace_inbox SET sequence = $1
  WHERE consumer = $2 AND source = $3 AND key = $4 AND sequence = $5 RETURNING sequence`
// Reads the row, and makes it if there is none: as a write, so that it is locked until the end of the transaction in every
// dialect, also where it did not exist.
const lock = `INSERT INTO headrace_inbox VALUES ($1, $2, $3, 0, '')
  ON CONFLICT (consumer, source, key) DO UPDATE SET sequence = headrace_inbox.sequence RETURNING sequence, missing`
const store = 'UPDATE headrace_inbox SET sequence = $1, missing = $2 WHERE consumer = $3 AND source = $4 AND key = $5'
const count = `INSERT INTO headrace_inbox VALUES ($1, $2, $3, 1, '')
  ON CONFLICT (consumer, source, key) DO UPDATE SET sequence = headrace_inbox.sequence + 1 RETURNING sequence`
const remember = `INSERT INTO headrace_inbox_ids VALUES ($1, $2, $3, $4)
  ON CONFLICT (consumer, key, id) DO NOTHING RETURNING sequence`
const forget = 'DELETE FROM headrace_inbox_ids WHERE consumer = $1 AND key = $2 AND sequence <= $3'
