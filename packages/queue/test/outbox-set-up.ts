import { DatabaseSync } from 'node:sqlite'
import { HeadraceError, seededRandom } from '@headrace/core'
import { type ManualClock, manualClock } from '@headrace/core/testing'
import {
  createOutbox,
  createOutboxRelay,
  type Outbox,
  type OutboxEvent,
  type OutboxRelay,
  type OutboxRelayOptions,
  type OutboxSink,
} from '@headrace/queue/outbox'
import { type SyncSql, sqliteSql } from '@headrace/queue/sql'

/** What a sink was given. */
export interface Published {
  readonly body: unknown
  readonly key?: string | undefined
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

interface SetUp {
  readonly db: DatabaseSync
  readonly sql: SyncSql
  readonly clock: ManualClock
  readonly outbox: Outbox
  /** Messages with these ids; the first letter is the key, and "-" is none. */
  append(...ids: string[]): void
  relay(more?: Partial<OutboxRelayOptions>): OutboxRelay
  readonly published: readonly Published[]
  ids(): string[]
  /** Rows in the outbox. */
  left(): number
  readonly events: readonly OutboxEvent[]
  of(type: OutboxEvent['type']): OutboxEvent[]
}

/** An outbox in a database of its own, and a sink, in manual time. */
export function setUp(
  publish: (message: Published) => Promise<void> | void = () => {},
  own: Partial<OutboxRelayOptions> = {},
): SetUp {
  const db = new DatabaseSync(':memory:')
  const outbox = createOutbox({ name: 'shop' })
  for (const statement of outbox.schema('sqlite')) db.exec(statement)
  const sql = sqliteSql(db)
  const clock = manualClock()
  const published: Published[] = []
  const events: OutboxEvent[] = []
  const queue: OutboxSink = {
    async publish(body, options) {
      await publish({ body, ...options })
      published.push({ body, ...options })
    },
  }
  const append = (...names: string[]) => {
    for (const id of names) outbox.append(sql, { body: { id }, id, key: id[0] === '-' ? undefined : id[0] })
  }
  const relay = (more: Partial<OutboxRelayOptions> = {}) =>
    createOutboxRelay({
      outbox,
      sql,
      queue,
      clock,
      random: seededRandom(1),
      observe: (event) => events.push(event),
      ...own,
      ...more,
    })
  const ids = () => published.map(({ id }) => id)
  const left = () => (db.prepare('SELECT count(*) AS count FROM headrace_outbox').get() as { count: number }).count
  const of = (type: OutboxEvent['type']) => events.filter((event) => event.type === type)
  return { db, sql, outbox, clock, append, relay, published, ids, left, events, of }
}

export const unavailable = (): never => {
  throw new HeadraceError('UNAVAILABLE', 'the broker is away')
}
