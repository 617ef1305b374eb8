import { DatabaseSync } from 'node:sqlite'
import { HeadraceError, randomBelow, seededRandom } from '@headrace/core'
import { createQueue } from '@headrace/queue'
import { createInbox, sequenceHeaders } from '@headrace/queue/inbox'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteSql } from '@headrace/queue/sql'
import { createWriter } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { expect, it } from 'vitest'

interface Stock {
  readonly left: number
  /** Events of this key so far. */
  readonly events: number
}

interface Sold {
  readonly number: number
  readonly quantity: number
}

const decide = (stock: Stock, quantity: number) => {
  if (quantity > stock.left) return { result: 'sold-out' }
  const number = stock.events + 1
  return { state: { left: stock.left - quantity, events: number }, result: 'sold', events: [{ number, quantity }] }
}

it('events that decide numbers have their effect once behind an inbox, which has one row for each key', async () => {
  const random = seededRandom(1)
  using db = new DatabaseSync(':memory:')
  const sql = sqliteSql(db)
  const claims: string[] = []
  const inbox = createInbox({ consumer: 'billing', observe: ({ type }) => claims.push(type) })
  for (const statement of inbox.schema('sqlite')) db.exec(statement)

  const driver = memoryQueue({ faults: { duplicate: 0.5 } })
  const queue = createQueue<Sold>(driver, 'sales')
  const billed = new Map<string, number[]>()
  queue.consume((message) => {
    if (!inbox.claim(sql, message).fresh) return
    billed.set(message.key!, [...(billed.get(message.key!) ?? []), message.body.quantity])
  })
  const writer = createWriter({
    ...{ name: 'sale', initial: (): Stock => ({ left: 100, events: 0 }), decide, store: memoryStore(), random },
    queue: {
      async publish(body: Sold, options) {
        await queue.publish(body, { ...options, headers: sequenceHeaders('sale', body.number) })
        // It is stored, and the writer does not know: it hands on the same event again.
        if (random.next() < 0.03) throw new HeadraceError('TIMEOUT', 'the confirmation was lost')
      },
    },
  })

  const sold = new Map<string, number[]>()
  for (let write = 0; write < 300; write++) {
    const key = `sku-${write % 7}`
    // Some are refused, so that the sequence of a key's writes is not that of its events.
    const quantity = 1 + randomBelow(random, 12)
    const { result } = await writer.write(key, quantity)
    if (result === 'sold') sold.set(key, [...(sold.get(key) ?? []), quantity])
  }
  await writer.close()
  while ((await queue.stats()).depth > 0) await new Promise((resolve) => setImmediate(resolve))
  expect(billed).toEqual(sold)
  expect(new Set(claims)).toEqual(new Set(['duplicate']))
  expect(db.prepare('SELECT count(*) AS rows FROM headrace_inbox').get()).toEqual({ rows: 7 })
  expect(db.prepare('SELECT count(*) AS rows FROM headrace_inbox_ids').get()).toEqual({ rows: 0 })
  await queue.close()
})
