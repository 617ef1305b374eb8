// Consumes a queue until it is killed, and writes down what it has done.
import { appendFileSync } from 'node:fs'
import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { Connection } from 'rabbitmq-client'

const [url, name, log] = process.argv.slice(2) as [string, string, string]
const connection = new Connection({ url, frameMax: 131_072, heartbeat: 2, retryLow: 50, retryHigh: 500 })
const queue = createQueue<number>(rabbitmqQueue(connection), name, {
  partitions: 2,
  retry: { attempts: 50, delayMinMs: 1, delayMaxMs: 20 },
})
queue.consume(
  async ({ key, body, attempt }) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
    if (attempt === 1 && Math.random() < 0.05) throw new Error('transient')
    appendFileSync(log, `${key}/${body}\n`)
  },
  { prefetch: 100, concurrency: 64, redeliveriesMax: 1_000 },
)
