// Publishes and consumes on the queue file of its first argument until it is killed, and writes down what it knows.
import { appendFileSync } from 'node:fs'
import { createQueue } from '@headrace/queue'
import { sqliteQueue } from '@headrace/queue/sqlite'

const [path, log, firstText, poison] = process.argv.slice(2) as [string, string, string, string?]
const queue = createQueue<number>(sqliteQueue(path), 'work', { partitions: 4, retry: { delayMinMs: 1, delayMaxMs: 5 } })

queue.consume(
  async ({ key, body, attempt }) => {
    if (`${key}/${body}` === poison) process.kill(process.pid, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
    if (attempt === 1 && Math.random() < 0.05) throw new Error('transient')
    appendFileSync(log, `done ${key}/${body}\n`)
  },
  { redeliveriesMax: 3, prefetch: 20 },
)

const keys = 20
const publish = async (key: string) => {
  for (let sequence = Number(firstText); ; sequence++) {
    appendFileSync(log, `sent ${key}/${sequence}\n`)
    await queue.publish(sequence, { key, id: `${key}/${sequence}` })
    appendFileSync(log, `confirmed ${key}/${sequence}\n`)
  }
}
console.log('ready')
await Promise.all(Array.from({ length: keys }, (_, key) => publish(`k${key}`)))
