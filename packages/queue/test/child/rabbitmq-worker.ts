// Consumes a queue until it is killed, and writes down what it has done.
import { appendFileSync } from 'node:fs'
import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { Connection } from 'rabbitmq-client'

const [url, log] = process.argv.slice(2) as [string, string]
const queue = createQueue<number>(rabbitmqQueue(new Connection({ url, frameMax: 131_072 })), 'killed-consumer', {
  partitions: 2,
  retry: { delayMinMs: 1, delayMaxMs: 20 },
})
queue.consume(
  async ({ key, body, attempt }) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4))
    if (attempt === 1 && Math.random() < 0.05) throw new Error('transient')
    appendFileSync(log, `${key}/${body}\n`)
  },
  { prefetch: 100, redeliveriesMax: 1_000 },
)
