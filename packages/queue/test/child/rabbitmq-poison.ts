// Consumes the queue of its second argument, and is killed by the message that its third one names.
import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { Connection } from 'rabbitmq-client'

const [url, name, poison] = process.argv.slice(2) as [string, string, string]
const queue = createQueue<string>(rabbitmqQueue(new Connection({ url })), name, { partitions: 1 })
queue.consume(
  ({ body }) => {
    if (body === poison) process.kill(process.pid, 'SIGKILL')
  },
  { redeliveriesMax: 3 },
)
