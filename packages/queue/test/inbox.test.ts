import { DatabaseSync } from 'node:sqlite'
import { fc, test } from '@fast-check/vitest'
import { isHeadraceError } from '@headrace/core'
import {
  createInbox,
  createMemoryInbox,
  type InboxEvent,
  type InboxOptions,
  sequenceHeaders,
} from '@headrace/queue/inbox'
import { type Sql, type SqlRows, type SyncSql, sqliteSql } from '@headrace/queue/sql'
import { describe, expect, it } from 'vitest'
import { isRejection } from '../src/message.ts'

/** The message with this number of its key. */
const numbered = (number: number, key = 'k', source = 'shop') => ({
  id: `${key}/${number}`,
  key,
  headers: sequenceHeaders(source, number),
})
const plain = (id: string, key?: string) => ({ id, key, headers: {} })

function setUp(options: Partial<InboxOptions> = {}) {
  const db = new DatabaseSync(':memory:')
  const events: InboxEvent[] = []
  const inbox = createInbox({ consumer: 'billing', observe: (event) => events.push(event), ...options })
  for (const statement of inbox.schema('sqlite')) db.exec(statement)
  const sql = sqliteSql(db)
  const claims = (...messages: Parameters<typeof inbox.claim>[1][]) =>
    messages.map((message) => inbox.claim(sql, message).type)
  const rows = (table: string) =>
    (db.prepare(`SELECT count(*) AS count FROM ${table}`).get() as { count: number }).count
  return { db, sql, inbox, claims, events, rows }
}

describe('an inbox of numbered messages', () => {
  it('knows every message again that had its effect, however long ago', () => {
    const { claims } = setUp()
    expect(claims(...[1, 2, 3].map((n) => numbered(n)))).toEqual(['new', 'new', 'new'])
    for (let number = 4; number <= 2_000; number++) claims(numbered(number))
    expect(claims(numbered(1), numbered(2_000), numbered(2_001))).toEqual(['duplicate', 'duplicate', 'new'])
  })

  it('keeps one row for a key, not for a message', () => {
    const { claims, rows } = setUp()
    for (let number = 1; number <= 1_000; number++) for (const key of 'abc') claims(numbered(number, key))
    expect([rows('headrace_inbox'), rows('headrace_inbox_ids')]).toEqual([3, 0])
  })

  it('names the messages that are missing, and takes them when they come', () => {
    const { sql, inbox, claims, events } = setUp()
    claims(numbered(1))
    expect(inbox.claim(sql, numbered(5))).toEqual({ type: 'new', fresh: true, missing: [2, 4] })
    expect(claims(numbered(3), numbered(3), numbered(2), numbered(4), numbered(4), numbered(6))).toEqual([
      'late',
      'duplicate',
      'late',
      'late',
      'duplicate',
      'new',
    ])
    expect(events.map(({ type, id, missing }) => [type, id, missing])).toEqual([
      ['missing', 'k/5', [2, 4]],
      ['late', 'k/3', undefined],
      ['duplicate', 'k/3', undefined],
      ['late', 'k/2', undefined],
      ['late', 'k/4', undefined],
      ['duplicate', 'k/4', undefined],
    ])
  })

  it('waits for what is missing where it is told to', () => {
    const { sql, inbox, claims } = setUp({ onGap: 'refuse' })
    claims(numbered(1))
    expect(inbox.claim(sql, numbered(3))).toEqual({ type: 'gap', fresh: false, missing: [2, 2] })
    expect(claims(numbered(2), numbered(3))).toEqual(['new', 'new'])
  })

  it('remembers a bounded number of gaps, and then waits rather than forget one', () => {
    const { claims } = setUp()
    for (let number = 2; number <= 2_000; number += 2) expect(claims(numbered(number))).toEqual(['new'])
    expect(claims(numbered(2_002))).toEqual(['gap'])
    expect(claims(numbered(1), numbered(2_002))).toEqual(['late', 'new'])
  })

  it('keeps keys, sources and consumers apart', () => {
    const { db, claims } = setUp()
    const other = createInbox({ consumer: 'mail' })
    expect(claims(numbered(1), numbered(1, 'l'), numbered(1, 'k', 'arena'))).toEqual(['new', 'new', 'new'])
    expect(other.claim(sqliteSql(db), numbered(1)).type).toBe('new')
    expect(claims(numbered(1, 'nul \0'), numbered(1, 'nul \0'), numbered(1, 'nul '))).toEqual([
      'new',
      'duplicate',
      'new',
    ])
  })

  it('has seen nothing of a transaction that was rolled back', () => {
    const { db, claims } = setUp()
    db.exec('BEGIN')
    expect(claims(numbered(1), numbered(2))).toEqual(['new', 'new'])
    db.exec('ROLLBACK')
    expect(claims(numbered(1))).toEqual(['new'])
  })

  it('sends a message to the dead letters whose number cannot be read', () => {
    const { sql, inbox } = setUp()
    for (const text of ['', '0/shop', 'x', '1/', '1e3/shop', '99999999999999999/shop']) {
      const message = { id: 'm', key: 'k', headers: { 'headrace-sequence': text } }
      expect(() => inbox.claim(sql, message)).toThrow(expect.toSatisfy(isRejection))
    }
  })

  it('answers later where the database does', async () => {
    const { sql, inbox } = setUp()
    const later: Sql = { dialect: 'sqlite', run: async (...call) => sql.run(...call) }
    expect(await inbox.claim(later, numbered(1))).toEqual({ type: 'new', fresh: true })
    expect(await inbox.claim(later, numbered(3))).toEqual({ type: 'new', fresh: true, missing: [2, 2] })
    expect(await inbox.claim(later, numbered(3))).toEqual({ type: 'duplicate', fresh: false })
    await expect(
      inbox.claim({ ...later, run: async () => Promise.reject(new Error('gone')) }, numbered(4)),
    ).rejects.toThrow('gone')
  })
})

describe('an inbox of messages without numbers', () => {
  it('knows the last ids of each key', () => {
    const { claims, rows } = setUp({ idsMax: 3 })
    expect(claims(plain('a', 'k'), plain('a', 'k'), plain('a', 'l'), plain('a'), plain('a'))).toEqual([
      'new',
      'duplicate',
      'new',
      'new',
      'duplicate',
    ])
    expect(claims(plain('b', 'm'), plain('c', 'm'), plain('d', 'm'), plain('b', 'm'))).toEqual([
      'new',
      'new',
      'new',
      'duplicate',
    ])
    expect(claims(plain('e', 'm'), plain('b', 'm'))).toEqual(['new', 'new'])
    for (let n = 0; n < 100; n++) claims(plain(`${n}`, 'n'))
    expect(rows("headrace_inbox_ids WHERE key = 'n'")).toBe(3)
  })
})

it('bad options are named', () => {
  expect(() => createInbox({ consumer: '' })).toThrow('consumer must not be empty')
  expect(() => createInbox({ consumer: 'a'.repeat(201) })).toThrow('consumer must be at most 200')
  expect(() => createInbox({ consumer: 'a', onGap: 'wait' as never })).toThrow('onGap must be')
  expect(() => createInbox({ consumer: 'a', idsMax: 0 })).toThrow('idsMax')
  expect(() => createMemoryInbox({ consumer: 'a', keysMax: 0 })).toThrow('keysMax')
  expect(() => sequenceHeaders('', 1)).toThrow('source')
  expect(() => sequenceHeaders('shop', 0)).toThrow('number')
  expect(() => sqliteSql(undefined as never)).toThrow('db must be')
})

describe('an inbox in memory', () => {
  it('undoes the claim of an effect that throws', () => {
    const inbox = createMemoryInbox({ consumer: 'billing' })
    const fail = () => {
      throw new Error('no')
    }
    for (const message of [numbered(1), plain('a')]) {
      expect(() => inbox.apply(message, fail)).toThrow('no')
      expect(inbox.apply(message, () => undefined).type).toBe('new')
      expect(inbox.apply(message, fail).type).toBe('duplicate')
    }
  })

  it('takes no more keys than it has room for', () => {
    const inbox = createMemoryInbox({ consumer: 'billing', keysMax: 2 })
    inbox.apply(numbered(1, 'a'), () => undefined)
    inbox.apply(plain('x', 'a'), () => undefined)
    for (const message of [numbered(1, 'b'), plain('x', 'b')]) {
      expect(() => inbox.apply(message, () => undefined)).toThrow(
        expect.toSatisfy((error) => isHeadraceError(error, 'BUSY')),
      )
    }
    inbox.apply(numbered(2, 'a'), () => undefined)
    expect(inbox.keys).toBe(2)
  })
})

describe('hazard 10: whatever is delivered, in whatever order, and cut short or not', () => {
  const deliveries = fc.array(
    fc.record({ number: fc.integer({ min: 1, max: 12 }), key: fc.constantFrom('a', 'b'), crash: fc.boolean() }),
    { maxLength: 60 },
  )

  test.prop([deliveries])('each message has its effect once, in SQLite', (all) => {
    const { db, sql, inbox } = setUp()
    db.exec('CREATE TABLE effects (id TEXT NOT NULL)')
    const model = new Set<string>()
    for (const { number, key, crash } of all) {
      const message = numbered(number, key)
      db.exec('BEGIN')
      const { fresh } = inbox.claim(sql, message)
      expect(fresh).toBe(!model.has(message.id))
      if (fresh) db.prepare('INSERT INTO effects VALUES (?)').run(message.id)
      db.exec(crash ? 'ROLLBACK' : 'COMMIT')
      if (!crash) model.add(message.id)
    }
    const effects = db
      .prepare('SELECT id FROM effects')
      .all()
      .map(({ id }) => id as string)
    expect(effects.toSorted()).toEqual([...model].toSorted())
  })

  test.prop([deliveries])('and in memory', (all) => {
    const inbox = createMemoryInbox({ consumer: 'billing' })
    const model = new Set<string>()
    for (const { number, key, crash } of all) {
      const message = numbered(number, key)
      let effects = 0
      const apply = () =>
        inbox.apply(message, () => {
          if (crash) throw new Error('crash')
          effects++
        })
      if (crash && !model.has(message.id)) expect(apply).toThrow('crash')
      else apply()
      expect(effects).toBe(!crash && !model.has(message.id) ? 1 : 0)
      if (!crash) model.add(message.id)
    }
  })
})

/** Answers each statement by itself, in a turn of its own, as a connection to a server does. */
function transactions(db: DatabaseSync): { begin(): Promise<Sql & { end(how: 'COMMIT' | 'ROLLBACK'): void }> } {
  const sql: SyncSql = sqliteSql(db)
  let last = Promise.resolve()
  return {
    async begin() {
      const before = last
      let release!: () => void
      last = new Promise((resolve) => (release = resolve))
      await before
      db.exec('BEGIN IMMEDIATE')
      return {
        dialect: 'sqlite',
        run: (...call) => new Promise<SqlRows>((resolve) => setImmediate(() => resolve(sql.run(...call)))),
        end(how) {
          db.exec(how)
          release()
        },
      }
    },
  }
}

it('hazard 12: two consumers that have the same message at once make one effect', async () => {
  const { db, inbox } = setUp()
  const database = transactions(db)
  let effects = 0
  const consume = async (number: number) => {
    const transaction = await database.begin()
    if ((await inbox.claim(transaction, numbered(number))).fresh) effects++
    transaction.end('COMMIT')
  }
  await Promise.all([1, 1, 2, 1, 2, 3, 3].map(consume))
  expect(effects).toBe(3)
})
