import { DatabaseSync } from 'node:sqlite'
import { createLocks } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { createQueue } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { createOutbox, createOutboxRelay } from '@headrace/queue/outbox'
import { sqliteSql } from '@headrace/queue/sql'
import { expect, it } from 'vitest'

// Here, because this is the package that knows both.
it('relays of an outbox of the queue stand by for one another with locks of the lock', async () => {
  using db = new DatabaseSync(':memory:')
  const sql = sqliteSql(db)
  const outbox = createOutbox({ name: 'shop' })
  for (const statement of outbox.schema('sqlite')) db.exec(statement)
  const queue = createQueue<string>(memoryQueue(), 'orders')
  const locks = createLocks(memoryLocks())
  const began: number[] = []
  const relays = [0, 1].map((number) =>
    createOutboxRelay({
      outbox,
      sql,
      queue,
      locks,
      observe: ({ type }) => type === 'began' && began.push(number),
    }),
  )
  outbox.append(sql, { body: 'first', key: 'k' })
  await Promise.race(relays.map((relay) => relay.drained()))
  const [working] = began
  await relays[working!]!.close()
  outbox.append(sql, { body: 'second', key: 'k' })
  await relays[1 - working!]!.drained()
  expect(began).toEqual([working, 1 - working!])
  expect((await queue.stats()).depth).toBe(2)
  await relays[1 - working!]!.close()
  await Promise.all([locks.close(), queue.close()])
})
