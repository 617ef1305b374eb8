import { checkInteger, checkKey, cryptoRandom, type Random, randomId } from '@headrace/core'
import { checkHeaders, type MessageOptions, messageBytes, toPayload } from './message.ts'
import { keyColumn, runSteps, type Sql, type Steps, type SyncSql } from './sql.ts'
import { toColumn } from './sqlite/text.ts'

export type { OutboxSink, RelayLease, RelayLocks } from './outbox/relay.ts'
export { createOutboxRelay, type OutboxEvent, type OutboxRelay, type OutboxRelayOptions } from './outbox/relay.ts'

/** Messages that are published if, and only if, the transaction in which they were written commits. */
export interface Outbox {
  readonly name: string
  /** Statements that make its tables, one at a time; harmless where they exist. */
  schema(dialect: Sql['dialect']): readonly string[]
  /**
   * Writes a message in the transaction of `sql`; a relay publishes it after the commit. With a key it is numbered, from 1
   * and without a gap, for an inbox; transactions with messages of one key wait for each other.
   * @returns its id.
   * @throws TypeError or RangeError for what could never be published; what `sql` throws.
   */
  append(sql: SyncSql, message: OutboxMessage): string
  append(sql: Sql, message: OutboxMessage): Promise<string> | string
}

export interface OutboxMessage extends Pick<MessageOptions, 'key' | 'id' | 'headers'> {
  readonly body: unknown
}

/**
 * @param options.name 1 to 100 characters; the source of the numbers of its messages. A database that was restored from a
 * backup counts anew what it has published since then: give its outbox another name, or inboxes take it for duplicates.
 * @param options.messageBytesMax payload and headers of a message, no more than its queue takes; 1 MiB.
 */
export function createOutbox(options: {
  readonly name: string
  readonly messageBytesMax?: number
  readonly random?: Random
}): Outbox {
  const { name, messageBytesMax = 2 ** 20, random = cryptoRandom } = options
  checkKey('name', name)
  checkInteger('messageBytesMax', messageBytesMax, { min: 1 })
  if (name.length > 100) throw new RangeError('name must be at most 100 characters')

  function* appending({ body, key, id = randomId(random), headers = {} }: OutboxMessage): Steps<string> {
    if (key !== undefined) checkKey('key', key)
    checkKey('id', id)
    const payload = toPayload(body)
    const bytes = messageBytes({ payload, headers: checkHeaders(headers) })
    if (bytes > messageBytesMax) {
      throw new RangeError(`message "${id}" must be at most ${messageBytesMax} bytes, has ${bytes}`)
    }
    let sequence: number | null = null
    if (key !== undefined) {
      const [row] = yield [nextNumber, [toColumn(name), keyColumn(key)]]
      sequence = Number(row!['sequence'])
    }
    yield [insert, [toColumn(name), toColumn(id), keyColumn(key), sequence, payload, JSON.stringify(headers)]]
    return id
  }

  return {
    name,
    schema: tables,
    append: ((sql: Sql, message: OutboxMessage) => runSteps(sql, appending(message))) as Outbox['append'],
  }
}

// The row of the key is locked until the end of the transaction: positions of a key are in the order of its commits.
const nextNumber = `INSERT INTO headrace_outbox_keys VALUES ($1, $2, 1)
  ON CONFLICT (outbox, key) DO UPDATE SET sequence = headrace_outbox_keys.sequence + 1 RETURNING sequence`
const insert = `INSERT INTO headrace_outbox (outbox, id, key, sequence, payload, headers)
  VALUES ($1, $2, $3, $4, $5, $6)`

function tables(dialect: Sql['dialect']): readonly string[] {
  const position = {
    // Never used again, also after the youngest message was deleted.
    sqlite: 'INTEGER PRIMARY KEY AUTOINCREMENT',
    postgres: 'BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY',
  }[dialect]
  return [
    `CREATE TABLE IF NOT EXISTS headrace_outbox (
      position ${position}, outbox TEXT NOT NULL, id TEXT NOT NULL, key TEXT NOT NULL, sequence BIGINT,
      payload TEXT NOT NULL, headers TEXT NOT NULL)`,
    'CREATE INDEX IF NOT EXISTS headrace_outbox_order ON headrace_outbox (outbox, position)',
    `CREATE TABLE IF NOT EXISTS headrace_outbox_keys (
      outbox TEXT NOT NULL, key TEXT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (outbox, key))`,
  ]
}
