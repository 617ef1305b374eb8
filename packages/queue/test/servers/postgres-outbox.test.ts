import { randomUUID } from 'node:crypto'
import { createQueue } from '@headrace/queue'
import { createInbox, sequenceHeaders } from '@headrace/queue/inbox'
import { memoryQueue } from '@headrace/queue/memory'
import { createOutbox, createOutboxRelay } from '@headrace/queue/outbox'
import { postgresSql } from '@headrace/queue/sql'
import { serverUrl } from '@headrace/stack'
import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'

const run = randomUUID()
const pool = new Pool({ connectionString: serverUrl('postgres'), max: 10 })
const outbox = createOutbox({ name: `shop-${run}` })
const inbox = createInbox({ consumer: `billing-${run}`, idsMax: 2 })

beforeAll(async () => {
  for (const statement of [...outbox.schema('postgres'), ...inbox.schema('postgres')]) await pool.query(statement)
})
afterAll(async () => {
  await pool.query('DELETE FROM headrace_outbox WHERE outbox = $1', [outbox.name])
  await pool.query('DELETE FROM headrace_outbox_keys WHERE outbox = $1', [outbox.name])
  await pool.query('DELETE FROM headrace_inbox WHERE consumer = $1', [`billing-${run}`])
  await pool.query('DELETE FROM headrace_inbox_ids WHERE consumer = $1', [`billing-${run}`])
  await pool.end()
})

async function transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}

it('what transactions on PostgreSQL append at once is handled once and in order per key', async () => {
  const queue = createQueue<number>(memoryQueue({ faults: { duplicate: 0.3 } }), 'orders')
  const handled: string[] = []
  queue.consume(async (message) => {
    const { fresh } = await transaction(async (client) => inbox.claim(postgresSql(client), message))
    if (fresh) handled.push(`${message.key}/${message.headers['headrace-sequence']?.split('/')[0]}`)
  })
  const relays = [0, 1].map(() => createOutboxRelay({ outbox, sql: postgresSql(pool), queue }))
  const keys = ['a', 'b', 'nul \0']
  await Promise.all(
    Array.from({ length: 90 }, (_, body) =>
      transaction(async (client) => outbox.append(postgresSql(client), { body, key: keys[body % 3]! })),
    ),
  )
  await expect(
    transaction(async (client) => {
      await outbox.append(postgresSql(client), { body: -1, key: 'a' })
      throw new Error('changed my mind')
    }),
  ).rejects.toThrow('changed my mind')
  await Promise.all(relays.map((relay) => relay.drained()))
  while ((await queue.stats()).depth > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  for (const key of keys) {
    const mine = handled.filter((name) => name.startsWith(`${key}/`))
    expect(mine).toEqual(Array.from({ length: 30 }, (_, at) => `${key}/${at + 1}`))
  }
  await Promise.all([...relays.map((relay) => relay.close()), queue.close()])
})

it('of several transactions with the same message one makes the effect, the first message of a key included', async () => {
  for (const number of [1, 2, 4]) {
    const message = { id: `m${number}`, key: 'race', headers: sequenceHeaders('shop', number) }
    const claims = await Promise.all(
      Array.from({ length: 8 }, () => transaction(async (client) => inbox.claim(postgresSql(client), message))),
    )
    expect(claims.filter(({ fresh }) => fresh)).toHaveLength(1)
    expect(claims.filter(({ type }) => type === 'duplicate')).toHaveLength(7)
  }
})

it('ids are known within their window on PostgreSQL, too', async () => {
  const types: string[] = []
  for (const id of ['a', 'a', 'b', 'c', 'a']) {
    const message = { id, key: 'ids', headers: {} }
    types.push((await transaction(async (client) => inbox.claim(postgresSql(client), message))).type)
  }
  expect(types).toEqual(['new', 'duplicate', 'new', 'new', 'new'])
})
