import { checkInteger, describe, systemClock, within } from '@headrace/core'
import type { Channel, Connection } from 'rabbitmq-client'
import type { DeadVerdict, PublishOutcome, QueueDriver, QueueMessage } from './driver.ts'
import { redriven } from './own-headers.ts'
import { closeSurely } from './rabbitmq/closing.ts'
import { createConfirms } from './rabbitmq/confirms.ts'
import { createDelays } from './rabbitmq/delays.ts'
import { deathOf, type StoredMessage, toEnvelope } from './rabbitmq/envelope.ts'
import { messagesOf, toFrames } from './rabbitmq/frames.ts'
import { holdRest } from './rabbitmq/hold.ts'
import { deadQueue, partitionQueue } from './rabbitmq/names.ts'
import { createParked, listParked } from './rabbitmq/parked.ts'
import type { ParkedContext } from './rabbitmq/parked-reading.ts'
import { createProgress } from './rabbitmq/progress.ts'
import { createReplies } from './rabbitmq/replies.ts'
import { type Subscribed, subscribe } from './rabbitmq/subscription.ts'
import { toMarker } from './rabbitmq/sure.ts'
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
  /**
   * AMQP messages of a partition that a consumer is given before it has acknowledged some; 256. Not the consumer's own
   * `prefetch`, because it has to be the same for all consumers of a queue: quorum queues put what is given back behind what
   * was given back before, so that one that takes only a part of it, and then ends, changes the order of keys.
   */
  readonly unsettledMax?: number
}

/**
 * Queues on RabbitMQ 3.10 or later: a quorum queue for each partition, with a single active consumer. Uses the connections
 * as they are, and leaves them open. Their `error` events are told by what the calls of the queue come to.
 */
export function rabbitmqQueue(connection: Connection, options: RabbitmqQueueOptions = {}): QueueDriver {
  const { consuming = connection, frames = true, unsettledMax = 256 } = options
  for (const [name, value] of Object.entries({ connection, consuming })) {
    if (typeof value?.acquire !== 'function') throw new TypeError(`${name} must be a Connection of rabbitmq-client`)
  }
  if (typeof frames !== 'boolean') throw new TypeError(`frames must be a boolean, received ${describe(frames)}`)
  checkInteger('unsettledMax', unsettledMax, { min: 1, max: 65_535 })
  const open = new Set<Channel>()
  const live = new Set<Subscribed>()
  // As many as the application has queues.
  const partitionsOf = new Map<string, number>()
  /** Of queues that park keys. */
  const parkedMax = new Map<string, number>()
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
    closeSurely(channel)
    open.add(channel)
    if (!closed) return channel
    await channel.close()
    throw new Error('the RabbitMQ queue is closed')
  }
  const confirms = createConfirms(() => channelOf(connection))
  // An alarm blocks a connection as a whole once it has published, so only messages go through the one that does.
  const channel = () => channelOf(consuming)

  const delays = createDelays(channel, confirms)

  /** In this order. */
  async function storeDurably(...sent: Parameters<typeof confirms.publish>[0]): Promise<void> {
    for (const outcome of await Promise.all(confirms.publish(sent))) {
      if (outcome.type === 'stored') continue
      throw new Error(`the broker did not store it: ${outcome.type}`, { cause: outcome })
    }
  }
  const bury = (queue: string) => (message: StoredMessage, dead: Parameters<typeof toEnvelope>[2]) =>
    storeDurably(toEnvelope(message, { routingKey: deadQueue(queue) }, dead))

  const parkedContext = (queue: string, partition: number): ParkedContext => {
    return { open: channel, store: storeDurably, bury: bury(queue), queue, partition }
  }

  const routeOf = (queue: string, partition: number) => ({ routingKey: partitionQueue(queue, partition) })

  /** Each by itself, answered one by one. */
  const publishAlone = (queue: string, messages: readonly QueueMessage[]) =>
    confirms.publish(messages.map((message) => toEnvelope(message, routeOf(queue, message.partition))))

  /**
   * Answered when all are: who waits for that with the next messages fills the next frames. Nearly always one frame; of
   * several each waits for the one before, which the broker may refuse.
   */
  async function publishFrames(queue: string, messages: readonly QueueMessage[]): Promise<readonly PublishOutcome[]> {
    const outcomes: PublishOutcome[] = []
    let last: PublishOutcome | undefined
    for (const { count, sent } of toFrames(messages, (partition) => routeOf(queue, partition))) {
      if (last && last.type !== 'stored') last = behind
      else last = await confirms.publish([sent])[0]!
      for (let message = 0; message < count; message++) outcomes.push(last)
    }
    return outcomes
  }

  return {
    name: 'rabbitmq',
    supports: {
      durable: true,
      delay: true,
      depthMax: true,
      park: true,
      replies: true,
      oldest: false,
      prefix: frames,
      messageBytesMax: 15 * 2 ** 20,
    },
    replies: createReplies(channel, confirms),
    async declare(queue) {
      const differences = await declareTopology(channel, queue)
      if (differences.length > 0) return differences
      // Here it may be waited for; `publish` finds the connection there or not.
      await confirms.open()
      partitionsOf.set(queue.name, queue.partitions)
      if (queue.park) parkedMax.set(queue.name, queue.depthMax)
      return []
    },
    async publish(queue, messages) {
      // Also false while the broker blocks publishers: what is written then waits in this process without a bound.
      if (!connection.ready) {
        const cause = new Error('not connected, or blocked by an alarm of the broker')
        return messages.map((): PublishOutcome => ({ type: 'unsent', cause }))
      }
      const publish = frames ? publishFrames : publishAlone
      const later = messages.filter((message) => message.delayMs > 0)
      if (later.length === 0) return publish(queue, messages)
      const now = messages.filter((message) => message.delayMs === 0)
      const sending = now.length > 0 ? publish(queue, now) : []
      const [atOnce, delayed] = [[...(await sending)], [...(await delays.publish(queue, partitionCount(queue), later))]]
      return messages.map((message) => (message.delayMs > 0 ? delayed : atOnce).shift()!)
    },
    subscribe(queue, partition, subscriber) {
      const max = parkedMax.get(queue)
      const parking = (broken: (cause: unknown) => void) => createParked(parkedContext(queue, partition), max!, broken)
      const store = (...sent: ReturnType<typeof toEnvelope>) => storeDurably(sent)
      const progress = createProgress(channel, store, queue, partition)
      const mark = () => storeDurably(toMarker(partitionQueue(queue, partition), 'sure'))
      const parked = max ? parking : undefined
      return subscribe(channel, unsettledMax, bury(queue), live, parked, progress, mark, queue, partition, subscriber)
    },
    async visitDead(queue, visit) {
      const channel = await channelOf(consuming)
      let left: number | undefined
      try {
        while (left === undefined || left > 0) {
          const received = await channel.basicGet({ queue: deadQueue(queue) })
          if (!received) return
          // As many as there are at the first. A count asked for before it can miss what another visitor is just giving back.
          left = (left ?? received.messageCount + 1) - 1
          const death = deathOf(received)
          const messages = messagesOf(received, 0)
          const kept: StoredMessage[] = []
          let stopped = false
          for (const message of messages) {
            const verdict: DeadVerdict = stopped ? 'keep' : await visit({ ...death, message })
            stopped ||= verdict === 'stop'
            if (stopped || verdict === 'keep') kept.push(message)
            else if (verdict === 'redrive')
              await storeDurably(toEnvelope(redriven(message), routeOf(queue, message.partition)))
          }
          if (kept.length === messages.length) {
            if (stopped) return
            continue
          }
          // A frame that the broker itself has given up: what stays of it stays by itself.
          for (const message of kept) await bury(queue)(message, death)
          channel.basicAck({ deliveryTag: received.deliveryTag })
          if (stopped) return
        }
      } finally {
        if (left && channel.active) await holdRest(channel, deadQueue(queue), left).catch(() => {})
        // Gives back, in their order, those that were kept.
        await channel.close()
      }
    },
    async stats(queue) {
      const partitions = partitionCount(queue)
      const channel = await channelOf(consuming)
      try {
        const count = async (name: string) => (await channel.queueDeclare({ queue: name, passive: true })).messageCount
        // What has come in frames and waits in this process; what is still in the broker counts as AMQP messages.
        let waiting = 0
        for (const subscribed of live) if (subscribed.queue === queue) waiting += subscribed.waiting
        for (let partition = 0; partition < partitions; partition++)
          waiting += await count(partitionQueue(queue, partition))
        return { waiting, delayed: 0, dead: await count(deadQueue(queue)), oldestAtMs: undefined }
      } finally {
        await channel.close()
      }
    },
    async parked(queue) {
      const partitions = partitionCount(queue)
      const count = parkedMax.has(queue) ? partitions : 0
      const reading = Array.from({ length: count }, (_, partition) => listParked(parkedContext(queue, partition)))
      return (await Promise.all(reading)).flat()
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

const behind: PublishOutcome = Object.freeze({ type: 'unsent', cause: new Error('one before it was not stored') })
