import { createQueue } from '@headrace/queue'
import { type RabbitmqQueueOptions, rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { connect } from 'amqplib'
import { Queue, Worker } from 'bullmq'
import { Connection } from 'rabbitmq-client'
import type { BenchContext } from '../bench.ts'
import { type Body, freshName, keyOf } from './message.ts'

/** A queue of one partition, as each library has it: quorum queues on RabbitMQ, and what it declares by itself elsewhere. */
export interface System extends AsyncDisposable {
  /** Resolves when the message is confirmed. */
  publish(body: Body, index: number): Promise<unknown>
  /** Calls `handle` for each message, and settles it when that returns. */
  consume(prefetch: number, handle: (body: Body) => void): Promise<unknown>
}

export type OpenSystem = (context: BenchContext) => Promise<System>

const quorum = { 'x-queue-type': 'quorum' } as const

function connections({ url }: BenchContext): [Connection, Connection] & Disposable {
  const options = { url: url('rabbitmq'), heartbeat: 5, noDelay: true, frameMax: 131_072 }
  const pair: [Connection, Connection] = [new Connection(options), new Connection(options)]
  for (const connection of pair) connection.on('error', () => {})
  return Object.assign(pair, {
    [Symbol.dispose]() {
      for (const connection of pair) connection.unsafeDestroy()
    },
  })
}

export const headrace =
  (options: RabbitmqQueueOptions = {}): OpenSystem =>
  async (context) => {
    const pair = connections(context)
    const driver = rabbitmqQueue(pair[0], { consuming: pair[1], ...options })
    const queue = createQueue<Body>(driver, freshName(), { partitions: 1 })
    await queue.open()
    return {
      publish: (body, index) => queue.publish(body, { key: keyOf(index) }),
      consume: async (prefetch, handle) =>
        queue.consume(({ body }) => handle(body), { prefetch, concurrency: prefetch }),
      async [Symbol.asyncDispose]() {
        pair[Symbol.dispose]()
      },
    }
  }

export const rabbitmqClient: OpenSystem = async (context) => {
  const pair = connections(context)
  const queue = freshName()
  const queues = [{ queue, durable: true, arguments: quorum }]
  const publisher = pair[0].createPublisher({ confirm: true, queues })
  await pair[0].queueDeclare({ queue, durable: true, arguments: quorum })
  return {
    publish: (body) => publisher.send({ routingKey: queue, durable: true }, body),
    consume: async (prefetchCount, handle) =>
      pair[1].createConsumer(
        { queue, queueOptions: { passive: true }, qos: { prefetchCount } },
        async (message: { readonly body: Body }) => handle(message.body),
      ),
    async [Symbol.asyncDispose]() {
      pair[Symbol.dispose]()
    },
  }
}

/**
 * The least that several messages in an AMQP message can cost, as a limit: JSON, one after the other, and a promise for each; no order of
 * keys, no bounds, no deadlines, and nothing that could read them.
 */
export const bareFrames: OpenSystem = async (context) => {
  const pair = connections(context)
  const queue = freshName()
  await pair[0].queueDeclare({ queue, durable: true, arguments: quorum })
  const channel = await pair[0].acquire()
  await channel.confirmSelect()
  const waiting: { readonly payload: string; readonly resolve: () => void }[] = []
  let inFlight = 0
  let scheduled = false
  const flush = () => {
    scheduled = false
    while (inFlight < 4 && waiting.length > 0) {
      const items = waiting.splice(0, Math.max(64, Math.ceil(waiting.length / 2)))
      inFlight++
      const frame = Buffer.from(items.map(({ payload }) => payload).join('\n'))
      void channel.basicPublish({ routingKey: queue, durable: true, contentType: 'text/frame' }, frame).then(() => {
        inFlight--
        for (const { resolve } of items) resolve()
        flush()
      })
    }
  }
  return {
    publish: (body, index) =>
      new Promise<void>((resolve) => {
        waiting.push({ payload: JSON.stringify({ key: keyOf(index), body }), resolve })
        if (scheduled || inFlight === 4) return
        scheduled = true
        queueMicrotask(flush)
      }),
    consume() {
      throw new Error('bare frames are not consumed')
    },
    async [Symbol.asyncDispose]() {
      pair[Symbol.dispose]()
    },
  }
}

export const amqplib: OpenSystem = async ({ url }) => {
  const options = { noDelay: true }
  const [publishing, consuming] = await Promise.all([
    connect(`${url('rabbitmq')}?heartbeat=5&frameMax=131072`, options),
    connect(`${url('rabbitmq')}?heartbeat=5&frameMax=131072`, options),
  ])
  const queue = freshName()
  const channel = await publishing.createConfirmChannel()
  await channel.assertQueue(queue, { durable: true, arguments: quorum })
  return {
    publish: (body) =>
      new Promise<void>((resolve, reject) => {
        channel.sendToQueue(queue, Buffer.from(JSON.stringify(body)), { persistent: true }, (error: unknown) =>
          error ? reject(error) : resolve(),
        )
      }),
    async consume(prefetch, handle) {
      const channel = await consuming.createChannel()
      await channel.prefetch(prefetch)
      return await channel.consume(queue, (message) => {
        if (!message) return
        handle(JSON.parse(message.content.toString()) as Body)
        channel.ack(message)
      })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([publishing.close(), consuming.close()])
    },
  }
}

/** Redis answers before the job is on its disk: the stack runs it with `appendfsync no`. */
export const bullmq: OpenSystem = async ({ url }) => {
  const connection = { url: url('redis'), maxRetriesPerRequest: null }
  const name = freshName()
  const queue = new Queue<Body>(name, { connection })
  await queue.waitUntilReady()
  let worker: Worker<Body> | undefined
  return {
    publish: (body) => queue.add('message', body, { removeOnComplete: true }),
    async consume(concurrency, handle) {
      worker = new Worker<Body>(name, async (job) => handle(job.data), { connection, concurrency })
      await worker.waitUntilReady()
    },
    async [Symbol.asyncDispose]() {
      await worker?.close(true)
      await queue.obliterate({ force: true })
      await queue.close()
    },
  }
}
