import type { Channel } from 'rabbitmq-client'
import type { QueueDeclaration, QueueDifference } from '../driver.ts'
import { deadQueue, markerExchange, parkedQueue, partitionQueue } from './names.ts'

/**
 * Declares what a queue consists of: a quorum queue for each partition, with a single active consumer; one for the dead
 * letters; one for the parked messages of each partition, where there are to be any; and a marker that has the broker itself compare the number of partitions.
 */
export async function declareTopology(
  open: () => Promise<Channel>,
  { name, partitions, depthMax, park }: QueueDeclaration,
): Promise<readonly QueueDifference[]> {
  const marker = (count: number) => `${markerExchange(name)}/${count}`
  const dead = deadQueue(name)
  const steps: ((channel: Channel) => Promise<unknown>)[] = [
    (channel) =>
      channel.exchangeDeclare({
        exchange: markerExchange(name),
        type: 'fanout',
        durable: true,
        arguments: { 'alternate-exchange': marker(partitions) },
      }),
    (channel) =>
      channel.queueDeclare({
        queue: dead,
        durable: true,
        arguments: {
          'x-queue-type': 'quorum',
          'x-max-length': depthMax,
          'x-overflow': 'reject-publish',
          // Looking at the dead letters gives each back, which must not use it up.
          'x-delivery-limit': 2 ** 30,
        },
      }),
    ...Array.from(
      { length: partitions },
      (_, partition) => (channel: Channel) =>
        channel.queueDeclare({
          queue: partitionQueue(name, partition),
          durable: true,
          arguments: {
            'x-queue-type': 'quorum',
            'x-single-active-consumer': true,
            'x-max-length': Math.ceil(depthMax / partitions),
            // Dropping the head would confirm what it throws away.
            'x-overflow': 'reject-publish',
            // Attempts are counted by the consumer; RabbitMQ 4 would drop the message at the 20th.
            'x-delivery-limit': 10_000,
            'x-dead-letter-exchange': '',
            'x-dead-letter-routing-key': dead,
            'x-dead-letter-strategy': 'at-least-once',
          },
        }),
    ),
    ...Array.from(
      { length: park ? partitions : 0 },
      (_, partition) => (channel: Channel) =>
        channel.queueDeclare({
          queue: parkedQueue(name, partition),
          durable: true,
          // Its length is bounded by the one who writes to it, and the readers' markers must always fit.
          arguments: { 'x-queue-type': 'quorum', 'x-single-active-consumer': true, 'x-delivery-limit': 2 ** 30 },
        }),
    ),
  ]
  const channel = await open()
  try {
    for (const step of steps) {
      try {
        await step(channel)
      } catch (error) {
        const difference = differenceOf(error)
        if (difference) return [difference]
        throw error
      }
    }
    return []
  } finally {
    await channel.close()
  }
}

/** "… inequivalent arg 'x-max-length' for queue 'q.p0' in vhost '/': received the value '5' of type 'long' but current is the value '7' …" */
function differenceOf(error: unknown): QueueDifference | undefined {
  const { code, message } = error as { code?: unknown; message: string }
  if (code !== 'PRECONDITION_FAILED') return undefined
  const what = /inequivalent arg '([^']+)'/.exec(message)?.[1]
  const wanted = /received (?:the value )?'([^']*)'/.exec(message)?.[1]
  const found = /current is (?:the value )?'([^']*)'/.exec(message)?.[1]
  if (what !== 'alternate-exchange') return { what: what ?? 'the queue', wanted: wanted ?? message, found }
  const count = (text: string | undefined) => text?.slice(text.lastIndexOf('/') + 1)
  return { what: 'partitions', wanted: count(wanted) ?? '', found: count(found) }
}
