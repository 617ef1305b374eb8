// Sells in one transaction with its outbox, publishes, and books in one transaction with its inbox, until it is killed; with
// "drain" only until nothing is left.
import { DatabaseSync } from 'node:sqlite'
import { createQueue } from '@headrace/queue'
import { createInbox } from '@headrace/queue/inbox'
import { createOutbox, createOutboxRelay } from '@headrace/queue/outbox'
import { sqliteSql } from '@headrace/queue/sql'
import { sqliteQueue } from '@headrace/queue/sqlite'

const [folder, mode] = process.argv.slice(2) as [string, string]
const db = new DatabaseSync(`${folder}/app.db`)
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
db.exec('CREATE TABLE IF NOT EXISTS sales (sale INTEGER PRIMARY KEY, key TEXT NOT NULL)')
db.exec('CREATE TABLE IF NOT EXISTS bookings (booking INTEGER PRIMARY KEY, sale INTEGER NOT NULL, key TEXT NOT NULL)')
const outbox = createOutbox({ name: 'shop' })
const inbox = createInbox({ consumer: 'booking' })
for (const statement of [...outbox.schema('sqlite'), ...inbox.schema('sqlite')]) db.exec(statement)
const sql = sqliteSql(db)
const sell = db.prepare('INSERT INTO sales (key) VALUES (?) RETURNING sale')
const book = db.prepare('INSERT INTO bookings (sale, key) VALUES (?, ?)')

const driver = sqliteQueue(`${folder}/queue.db`)
const queue = createQueue<number>(driver, 'sales', { partitions: 2 })
queue.consume((message) => {
  db.exec('BEGIN IMMEDIATE')
  if (inbox.claim(sql, message).fresh) book.run(message.body, message.key!)
  db.exec('COMMIT')
})
const relay = createOutboxRelay({ outbox, sql, queue, pollMs: 5 })

if (mode === 'drain') {
  await relay.drained()
  while ((await queue.stats()).depth > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await Promise.all([relay.close(), queue.close()])
  await driver.close()
} else {
  console.log('ready')
  setInterval(() => {
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      db.exec('BEGIN IMMEDIATE')
      const { sale } = sell.get(key) as { sale: number }
      outbox.append(sql, { body: sale, key })
      db.exec('COMMIT')
    }
    relay.poke()
  }, 1)
}
