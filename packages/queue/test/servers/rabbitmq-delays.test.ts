import { createQueue } from '@headrace/queue'
import { type Server, startRabbitmq } from '@headrace/stack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { driverAt, until } from './rabbitmq-set-up.ts'

const limitMs = 180_000
let server: Server

describe('delayed messages on RabbitMQ', { timeout: limitMs }, () => {
  beforeAll(async () => {
    // What the broker forwards to a queue that is not back yet after a restart, it forwards again after this time, or up
    // to twice this time; by default three minutes.
    server = await startRabbitmq({
      advanced: '[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 2000}]}].',
    })
  }, limitMs)
  afterAll(() => server.stop(), limitMs)

  it('hazard 25: come in time, never early, and survive the death of the broker on their way', async () => {
    const queue = createQueue<number>(driverAt(server.url), 'delayed', { partitions: 2, publishMs: 5_000 })
    const due = new Map<number, number>()
    const publish = async (body: number, delayMs: number) => {
      due.set(body, performance.now() + delayMs)
      await queue.publish(body, { delayMs, id: `${body}` })
    }
    const lateMs = new Map<number, number>()
    const consumer = queue.consume(({ body }) => lateMs.set(body, performance.now() - due.get(body)!))
    await publish(0, 1)
    await until(() => lateMs.size === 1, 'the levels are there')
    for (let body = 1; body <= 40; body++) await publish(body, 100 + Math.random() * 2_000)
    await until(() => lateMs.size === 41, 'all have come')
    expect(Math.min(...lateMs.values())).toBeGreaterThanOrEqual(0)

    // In good order: the broker itself loses what is younger than its queue's first ten seconds.
    await server.restart()
    const far = () =>
      publish(100, 600_000).then(
        () => true,
        () => false,
      )
    await until(far, 'the connection is back')
    for (let body = 101; body <= 140; body++) await publish(body, 4_000 + Math.random() * 2_000)
    await server.kill()
    await server.restart()
    const last = Array.from({ length: 40 }, (_, at) => 101 + at)
    await until(() => last.every((body) => lateMs.has(body)), 'all that are due have come')
    expect(Math.min(...lateMs.values())).toBeGreaterThanOrEqual(0)
    expect(lateMs.has(100)).toBe(false)
    await consumer.close()
    await queue.close()
  })
})
