import { createQueue, reject } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { serverUrl } from '@headrace/stack'
import type { AsyncMessage, Connection } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { connect, driverAt, until } from './rabbitmq-set-up.ts'

let made = 0
const freshName = () => `frames-${process.pid}-${Date.now()}-${made++}`
const url = () => serverUrl('rabbitmq')
const bodies = (count: number) => Array.from({ length: count }, (_, body) => ({ body, key: 'k', id: `id-${body}` }))
const numbers = (count: number) => bodies(count).map(({ body }) => body)

/** AMQP messages that wait in the only partition of a queue. */
async function stored(connection: Connection, name: string): Promise<number> {
  return (await connection.queueDeclare({ queue: `${name}.p0`, passive: true })).messageCount
}

describe('messages that wait for one partition of a queue on RabbitMQ', () => {
  it('travel together, and are handled one by one as they were published', async () => {
    const name = freshName()
    const connection = connect({ url: url() })
    const queue = createQueue<number>(rabbitmqQueue(connection), name, { partitions: 1 })
    const headers = { trace: '✓' }
    await queue.publishAll(bodies(200).map((message) => ({ ...message, headers })))
    await until(async () => (await stored(connection, name)) > 0, 'they are counted')
    expect(await stored(connection, name)).toBeLessThanOrEqual(2)
    const seen: unknown[] = []
    queue.consume((message) => seen.push(message), { prefetch: 10 })
    await until(() => seen.length === 200, 'all are handled')
    expect(seen).toMatchObject(bodies(200).map((message) => ({ ...message, headers, attempt: 1 })))
    await until(async () => (await queue.stats()).depth === 0, 'all are settled')
    await queue.close()
  })

  it('are counted by stats from when they have come to this process', async () => {
    const queue = createQueue<number>(driverAt(url()), freshName(), { partitions: 1 })
    await queue.publishAll(bodies(100))
    await until(async () => (await queue.stats()).depth > 0, 'they are counted')
    expect((await queue.stats()).depth).toBeLessThan(100)
    const { promise, resolve } = Promise.withResolvers<void>()
    queue.consume(() => promise, { prefetch: 10 })
    await until(async () => (await queue.stats()).depth === 100, 'all are counted')
    resolve()
    await until(async () => (await queue.stats()).depth === 0, 'none is left')
    await queue.close()
  })

  it('are messages of AMQP, each by itself, with `frames: false`, and without company', async () => {
    const name = freshName()
    const connection = connect({ url: url() })
    const framing = createQueue<number>(rabbitmqQueue(connection), name, { partitions: 1 })
    await framing.publish(1, { id: 'alone' })
    const plain = createQueue<number>(rabbitmqQueue(connection, { frames: false }), name, { partitions: 1 })
    await plain.publishAll([{ body: 2 }, { body: 3 }])
    const seen: unknown[] = []
    const channel = await connection.acquire()
    await channel.basicConsume({ queue: `${name}.p0`, noAck: true }, ({ body }: AsyncMessage) =>
      seen.push(JSON.parse(String(body))),
    )
    await until(() => seen.length === 3, 'a consumer of something else has them')
    expect(seen).toEqual([1, 2, 3])
    await channel.close()
  })

  it('come again together when their connection breaks, in their order, and those that died do not block them', async () => {
    const name = freshName()
    const consuming = connect({ url: url() })
    const queue = createQueue<number>(rabbitmqQueue(connect({ url: url() }), { consuming }), name, { partitions: 1 })
    await queue.publishAll(bodies(50))
    const seen: number[] = []
    let broken = false
    queue.consume(
      ({ body }) => {
        seen.push(body)
        if (body === 3) throw reject('no')
        if (body < 20 || broken) return
        broken = true
        ;(consuming as unknown as { _socket: { destroy(): void } })._socket.destroy()
      },
      { concurrency: 1 },
    )
    await until(() => new Set(seen).size === 50, 'all are handled')
    expect([...new Set(seen)]).toEqual(numbers(50))
    await until(async () => (await queue.stats()).depth === 0, 'all are settled')
    expect((await queue.deadLetters.list()).map(({ id }) => id)).toContain('id-3')
    await queue.close()
  })

  it('that were begun are finished when their consumer closes, and the others come again: nothing is handled twice', async () => {
    const name = freshName()
    const queue = createQueue<number>(driverAt(url()), name, { partitions: 1 })
    for (const half of [bodies(400).slice(0, 200), bodies(400).slice(200)]) await queue.publishAll(half)
    const seen: number[] = []
    const consumer = queue.consume(
      async ({ body }) => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        seen.push(body)
      },
      { prefetch: 20 },
    )
    await until(() => seen.length > 50, 'some are handled')
    expect(await consumer.close()).toEqual({ abandoned: 0 })
    // Of the last frame nothing was begun.
    const finished = seen.length
    expect(finished).toBeLessThan(400)
    expect(seen).toEqual(numbers(finished))
    queue.consume(({ body }) => seen.push(body))
    await until(() => seen.length >= 400, 'all are handled')
    expect(seen).toEqual(numbers(400))
    await queue.close()
  })

  it('hazard 18: are refused together when the queue is full, each with its own error', async () => {
    const queue = createQueue<number>(driverAt(url()), freshName(), { partitions: 1, depthMax: 2 })
    const results: PromiseSettledResult<void>[] = []
    await until(async () => {
      results.push(...(await Promise.allSettled([1, 2, 3].map((body) => queue.publish(body)))))
      return results.some(({ status }) => status === 'rejected')
    }, 'it is full')
    const refused = results.slice(-3)
    expect(refused).toMatchObject([1, 2, 3].map(() => ({ status: 'rejected', reason: { code: 'BUSY' } })))
    expect(new Set(refused.map((result) => String((result as PromiseRejectedResult).reason))).size).toBe(3)
    await queue.close()
  })

  it('hazard 21: are refused together when somebody has deleted the queue, which is declared again for the next', async () => {
    const name = freshName()
    const connection = connect({ url: url() })
    const queue = createQueue<number>(rabbitmqQueue(connection), name, { partitions: 1 })
    await queue.open()
    await connection.queueDelete({ queue: `${name}.p0` })
    const results = await Promise.allSettled([1, 2, 3].map((body) => queue.publish(body)))
    expect(results).toMatchObject(
      [1, 2, 3].map(() => ({ reason: { code: 'REJECTED', message: expect.stringContaining('no such queue') } })),
    )
    await Promise.all([1, 2, 3].map((body) => queue.publish(body)))
    await queue.close()
  })

  it('are shown one by one when the broker itself has given them up, and leave the dead letters one by one', async () => {
    const name = freshName()
    const connection = connect({ url: url() })
    const queue = createQueue<number>(rabbitmqQueue(connection), name, { partitions: 1 })
    await queue.publishAll(bodies(4))
    // What the broker does at its own limit of deliveries, it does to a message that is refused without a requeue.
    const channel = await connection.acquire()
    await channel.basicConsume({ queue: `${name}.p0` }, ({ deliveryTag }) =>
      channel.basicNack({ deliveryTag, requeue: false }),
    )
    const ids = async () => (await queue.deadLetters.list()).map(({ id }) => id)
    await until(async () => (await ids()).length === 4, 'all are dead')
    await channel.close()
    expect(await queue.deadLetters.purge({ filter: ({ id }) => id === 'id-1' })).toEqual({ purged: 1 })
    expect(await queue.deadLetters.redrive({ limit: 1 })).toEqual({ redriven: 1 })
    expect(await ids()).toEqual(['id-2', 'id-3'])
    const seen: number[] = []
    queue.consume(({ body }) => seen.push(body))
    await until(() => seen.length === 1, 'the redriven one has come')
    expect(seen).toEqual([0])
    await queue.close()
  })
})
