import { createHash } from 'node:crypto'
import type { Channel } from 'rabbitmq-client'
import type { PublishOutcome, QueueDriver, QueueMessage } from '../driver.ts'
import type { Confirms } from './confirms.ts'
import { toEnvelope } from './envelope.ts'
import { partitionQueue } from './names.ts'

/** Delays are whole steps; 28 binary levels reach over 198 days. */
const stepMs = 64
const levels = 28

const delayMaxMs = stepMs * (2 ** levels - 1)

export interface Delays {
  publish(queue: string, partitions: number, messages: readonly QueueMessage[]): ReturnType<QueueDriver['publish']>
}

/**
 * Delays of any length without a plug-in, and without a short one waiting behind a long one. Level k is a queue whose
 * messages all stay for 2^k steps, so it is in order of expiry; the bits of a message's delay, as words of its routing key,
 * say which levels hold it. From the last it drops into its partition (as in NServiceBus and MassTransit).
 *
 * The levels are quorum queues that forward at least once, and are shared by all queues of the virtual host.
 */
export function createDelays(open: () => Promise<Channel>, confirms: Confirms): Delays {
  // As many as the application has queues.
  const declared = new Map<string, Promise<void>>()

  /** Made with the first delayed message: the levels are many queues, which who has no delays should not pay for. */
  function ready(queue: string, partitions: number): Promise<void> {
    const known = declared.get(queue)
    if (known !== undefined) return known
    const declaring = declare(queue, partitions)
    declared.set(queue, declaring)
    declaring.catch(() => declared.delete(queue))
    return declaring
  }

  async function declare(queue: string, partitions: number): Promise<void> {
    const channel = await open()
    try {
      await declareDelays(channel)
      await bindDelays(channel, queue, partitions)
    } finally {
      await channel.close()
    }
  }

  return {
    async publish(queue, partitions, messages) {
      const fitting = messages.filter((message) => message.delayMs <= delayMaxMs)
      try {
        await ready(queue, partitions)
      } catch (cause) {
        return messages.map(() => ({ type: 'unsent', cause }))
      }
      const answers = confirms.publish(fitting.map((message) => toEnvelope(message, delayRoute(queue, message))))
      for (const answer of answers) {
        // A broker that has lost its data has no levels any more; the next message makes them again.
        void answer.then(({ type }) => type !== 'stored' && declared.delete(queue))
      }
      return messages.map((message) => (message.delayMs <= delayMaxMs ? answers.shift()! : tooLong))
    },
  }
}

const tooLong: PublishOutcome = Object.freeze({ type: 'refused', reason: `delays reach up to ${delayMaxMs} ms` })

function delayRoute(queue: string, { partition, delayMs }: QueueMessage) {
  // Never early, so rounded up.
  const steps = Math.ceil(delayMs / stepMs)
  const bits = steps.toString(2).padStart(levels, '0')
  return {
    exchange: exchangeOf(levels - 1 - bits.indexOf('1')),
    routingKey: `${[...bits].join('.')}.${address(queue, partition)}`,
  }
}

async function declareDelays(channel: Channel): Promise<void> {
  await channel.exchangeDeclare({ exchange: exchangeOf(-1), type: 'topic', durable: true })
  for (let level = 0; level < levels; level++) {
    const [exchange, below] = [exchangeOf(level), exchangeOf(level - 1)]
    await channel.exchangeDeclare({ exchange, type: 'topic', durable: true })
    await channel.queueDeclare({
      queue: exchange,
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-message-ttl': stepMs * 2 ** level,
        'x-max-length': 1_000_000,
        'x-overflow': 'reject-publish',
        'x-delivery-limit': 10_000,
        'x-dead-letter-exchange': below,
        'x-dead-letter-strategy': 'at-least-once',
      },
    })
    const before = '*.'.repeat(levels - 1 - level)
    await channel.queueBind({ queue: exchange, exchange, routingKey: `${before}1.#` })
    await channel.exchangeBind({ destination: below, source: exchange, routingKey: `${before}0.#` })
  }
}

/** Lets delayed messages into the partitions of a queue. */
async function bindDelays(channel: Channel, queue: string, partitions: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const routingKey = `#.${address(queue, partition)}`
    await channel.queueBind({ queue: partitionQueue(queue, partition), exchange: exchangeOf(-1), routingKey })
  }
}

const exchangeOf = (level: number) => (level < 0 ? 'headrace.delay.over' : `headrace.delay.${level}`)

/** A name has characters that mean something in a key of words, and may be longer than there is room for. */
const address = (queue: string, partition: number) =>
  `${createHash('sha256').update(queue).digest('base64url')}.p${partition}`
