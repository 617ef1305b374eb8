import { describe, systemClock, within } from '@headrace/core'
import type { Channel, Connection } from 'rabbitmq-client'
import type { PublishOutcome, QueueDriver, QueueMessage } from './driver.ts'
import { createConfirms } from './rabbitmq/confirms.ts'
import { createDelays } from './rabbitmq/delays.ts'
import { deathOf, fromEnvelope, type StoredMessage, toEnvelope } from './rabbitmq/envelope.ts'
import { toFrames } from './rabbitmq/frames.ts'
import { deadQueue, partitionQueue } from './rabbitmq/names.ts'
import { createReplies } from './rabbitmq/replies.ts'
import { subscribe } from './rabbitmq/subscription.ts'
import { declareTopology } from './rabbitmq/topology.ts'

const closeMs = 5_000

export interface RabbitmqQueueOptions {
  /**
   * A second connection, for consuming. While the broker is short of memory or disk it reads nothing from connections that
   * publish, acknowledgements included: with one connection for both, consumers stand still until the alarm is over.
   */
  readonly consuming?: Connection
  /**
   * Whether messages that wait for the same partition travel, and are stored, as one AMQP message; true. A message that
   * has no company is a plain AMQP message. With false all are, for consumers that are not of this library.
   */
  readonly frames?: boolean
}

/**
 * Queues on RabbitMQ 3.10 or later: a quorum queue for each partition, with a single active consumer. Uses the connections
 * as they are, and leaves them open. Their `error` events are told by what the calls of the queue come to.
 */
export function rabbitmqQueue(connection: Connection, options: RabbitmqQueueOptions = {}): QueueDriver {
  const { consuming = connection, frames = true } = options
  for (const [name, value] of Object.entries({ connection, consuming })) {
    if (typeof value?.acquire !== 'function') throw new TypeError(`${name} must be a Connection of rabbitmq-client`)
  }
  if (typeof frames !== 'boolean') throw new TypeError(`frames must be a boolean, received ${describe(frames)}`)
  const open = new Set<Channel>()
  // As many as the application has queues.
  const partitionsOf = new Map<string, number>()
  let closed = false

  function partitionCount(queue: string): number {
    const partitions = partitionsOf.get(queue)
    if (partitions === undefined) throw new Error(`queue "${queue}" is not declared`)
    return partitions
  }

  // Without a listener the first connection that breaks would end the process.
  const ignore = () => {}
  connection.on('error', ignore)
  consuming.on('error', ignore)

  async function channelOf(from: Connection): Promise<Channel> {
    if (closed) throw new Error('the RabbitMQ queue is closed')
    const channel = await from.acquire({ emitErrorsFromChannel: true })
    // Told by the call that failed, and by "close".
    channel.on('error', ignore)
    channel.on('close', () => open.delete(channel))
    open.add(channel)
    if (!closed) return channel
    await channel.close()
    throw new Error('the RabbitMQ queue is closed')
  }
  const confirms = createConfirms(() => channelOf(connection))
  // An alarm blocks a connection as a whole once it has published, so only messages go through the one that does.
  const channel = () => channelOf(consuming)

  const delays = createDelays(channel, confirms)

  async function storeDurably(...sent: ReturnType<typeof toEnvelope>): Promise<void> {
    const [answer] = await confirms.publish([sent])
    const outcome = await answer
    if (outcome?.type === 'stored') return
    throw new Error(`the broker did not store it: ${outcome?.type}`, { cause: outcome })
  }
  const bury = (queue: string) => (message: StoredMessage, dead: Parameters<typeof toEnvelope>[2]) =>
    storeDurably(...toEnvelope(message, { routingKey: deadQueue(queue) }, dead))

  const routeOf = (queue: string, partition: number) => ({ routingKey: partitionQueue(queue, partition) })

  /** Each by itself, answered one by one. */
  const publishAlone = (queue: string, messages: readonly QueueMessage[]) =>
    confirms.publish(messages.map((message) => toEnvelope(message, routeOf(queue, message.partition))))

  /** Answered when all are: who waits for that with the next messages fills the next frames. */
  async function publishFrames(queue: string, messages: readonly QueueMessage[]): Promise<readonly PublishOutcome[]> {
    const carriers = toFrames(messages, (partition) => routeOf(queue, partition))
    const answers = await confirms.publish(carriers.map(({ sent }) => sent))
    const outcomes = await Promise.all(answers)
    return outcomes.flatMap((outcome, at) => new Array<PublishOutcome>(carriers[at]!.count).fill(outcome))
  }

  return {
    name: 'rabbitmq',
    supports: { durable: true, delay: true, depthMax: true, replies: true, oldest: false, messageBytesMax: 15 * 2 ** 20 },
    async declare(queue) {
      const differences = await declareTopology(channel, queue)
      if (differences.length > 0) return differences
      // Here it may be waited for; `publish` finds the connection there or not.
      await confirms.open()
      partitionsOf.set(queue.name, queue.partitions)
      return []
    },
    async publish(queue, messages) {
      // Also false while the broker blocks publishers: what is written then waits in this process without a bound.
      if (!connection.ready) {
        const cause = new Error('not connected, or blocked by an alarm of the broker')
        return messages.map((): PublishOutcome => ({ type: 'unsent', cause }))
      }
      const now = messages.filter((message) => message.delayMs === 0)
      const publish = frames ? publishFrames : publishAlone
      const sending = now.length > 0 ? publish(queue, now) : []
      if (now.length === messages.length) return await sending
      const later = messages.filter((message) => message.delayMs > 0)
      const [atOnce, delayed] = [[...(await sending)], [...(await delays.publish(queue, partitionCount(queue), later))]]
      return messages.map((message) => (message.delayMs > 0 ? delayed : atOnce).shift()!)
    },
    subscribe: (queue, partition, subscriber) => subscribe(channel, bury(queue), queue, partition, subscriber),
    replies: createReplies(channel, confirms),
    async visitDead(queue, visit) {
      const channel = await channelOf(consuming)
      try {
        let left: number | undefined
        while (left === undefined || left > 0) {
          const received = await channel.basicGet({ queue: deadQueue(queue) })
          if (!received) return
          // As many as there are at the first. A count asked for before it can miss what another visitor is just giving back.
          left = (left ?? received.messageCount + 1) - 1
          const message = fromEnvelope(received, 0)
          const verdict = await visit({ ...deathOf(received), message })
          if (verdict === 'stop') return
          if (verdict === 'keep') continue
          if (verdict === 'redrive') await storeDurably(...toEnvelope(message, routeOf(queue, message.partition)))
          channel.basicAck({ deliveryTag: received.deliveryTag })
        }
      } finally {
        // Gives back, in their order, those that were kept.
        await channel.close()
      }
    },
    async stats(queue) {
      const partitions = partitionCount(queue)
      const channel = await channelOf(consuming)
      try {
        const count = async (name: string) => (await channel.queueDeclare({ queue: name, passive: true })).messageCount
        let waiting = 0
        for (let partition = 0; partition < partitions; partition++)
          waiting += await count(partitionQueue(queue, partition))
        return { waiting, delayed: 0, dead: await count(deadQueue(queue)), oldestAtMs: undefined }
      } finally {
        await channel.close()
      }
    },
    async close() {
      if (closed) return
      closed = true
      // A broker that does not answer must not keep us: the channels end with their connection.
      const closing = Promise.all([...open].map((channel) => channel.close()))
      await within(systemClock, closeMs, closing).catch(() => {})
      connection.off('error', ignore)
      consuming.off('error', ignore)
    },
  }
}
