import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { type RabbitmqServer, startRabbitmq } from '@headrace/stack'
import type { Channel, Connection } from 'rabbitmq-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type HistoryEvent, violations } from '../history.ts'
import { isEmpty, options, publishSurely, recorded, survive } from './rabbitmq-history.ts'
import { connect, driverAt, opened, until } from './rabbitmq-set-up.ts'

const limitMs = 180_000
let server: RabbitmqServer

/** One that publishes and two that consume, of which one stands by. */
const drivers = () => ({
  publisher: driverAt(server.url),
  consumers: [driverAt(server.url), driverAt(server.url)],
})

describe('RabbitMQ under faults: nothing is lost and no key is out of order', { timeout: limitMs }, () => {
  beforeAll(async () => {
    server = await startRabbitmq()
  }, limitMs)
  afterAll(() => server.stop(), limitMs)

  it('hazards 1, 2 and 3: when the broker is killed while it is published to and consumed from', async () => {
    // The broker itself loses what is younger than its queue's first ten seconds, unless it was restarted in order.
    await createQueue(driverAt(server.url), 'killed', options).open()
    await server.restart()
    await survive('killed', drivers(), async () => {
      await server.kill()
      await server.restart()
    })
  })

  it('hazard 4: when the broker is restarted in good order', async () => {
    await survive('restarted', drivers(), () => server.restart())
  })

  it('hazard 7: when the broker stands still for longer than a heartbeat', async () => {
    await survive('paused', drivers(), async () => {
      server.pause()
      await until(() => opened.every(({ ready }) => !ready), 'every connection is given up')
      server.resume()
    })
  })

  it('hazard 9: when an alarm blocks publishers, and consumers go on meanwhile', async () => {
    await survive('alarm', drivers(), async (progress) => {
      await server.control('set_vm_memory_high_watermark', 'absolute', '1MB')
      await until(() => opened.some(({ ready }) => !ready), 'publishers are blocked')
      await until(() => progress().handled >= progress().confirmed, 'what is confirmed is handled')
      await server.control('set_vm_memory_high_watermark', '0.4')
    })
  })

  it('hazard 31: when connections break again and again', async () => {
    await survive('broken', drivers(), async () => {
      for (let times = 0; times < 5; times++) {
        for (const connection of opened) socketOf(connection).destroy()
        await until(() => opened.every(({ ready }) => ready), 'every connection is back')
      }
    })
  })

  it('hazard 13: when the broker closes the channels of consumers in the first burst of deliveries', async () => {
    const consuming = connect({ url: server.url })
    const channels: Channel[] = []
    const acquire = consuming.acquire.bind(consuming)
    consuming.acquire = async (options) => {
      const channel = await acquire(options)
      channels.push(channel)
      return channel
    }
    const driver = rabbitmqQueue(connect({ url: server.url }), { consuming })
    const queue = createQueue<number>(driver, 'burst', options)
    const bodies = Array.from({ length: 2_000 }, (_, body) => ({ body, key: `k${body % 50}` }))
    // One by one and together: plain messages and frames.
    for (const message of bodies.slice(0, 200)) await queue.publishAll([message])
    await queue.publishAll(bodies.slice(200))
    const completed: number[] = []
    queue.consume(({ body }) => completed.push(body), { prefetch: 500, concurrency: 2, redeliveriesMax: 1_000 })
    for (let times = 0; times < 5; times++) {
      await until(() => channels.some((channel) => channel.active), 'a channel')
      // A tag that was never given out: the broker closes the channel for it.
      const closing = channels.splice(0)
      for (const channel of closing) if (channel.active) channel.basicAck({ deliveryTag: 1_000_000 })
      await until(() => closing.every((channel) => !channel.active), 'the channels are closed')
    }
    await until(() => new Set(completed).size === bodies.length, 'all are handled')
    for (let key = 0; key < 50; key++) {
      const firsts = [...new Set(completed.filter((body) => body % 50 === key))]
      expect(firsts).toEqual(bodies.map(({ body }) => body).filter((body) => body % 50 === key))
    }
    await until(async () => (await queue.stats()).depth === 0, 'everything is settled')
    await queue.close()
  })

  it('hazard 14: when the broker closes the channel of a consumer that takes too long', async () => {
    await server.control(
      'eval',
      'application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 200).',
    )
    const queue = createQueue<number>(driverAt(server.url), 'slow', { ...options, partitions: 1 })
    const history: HistoryEvent[] = []
    const handled = new Set<string>()
    const handle = recorded('one', history, handled)
    let reason: unknown
    queue.consume(
      async (message, { signal }) => {
        if (message.id === 'slow/0' && !reason) {
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
          reason = signal.reason
        }
        await handle(message)
      },
      { handlerMs: limitMs },
    )
    let published = 0
    await queue.publish(0, { key: 'slow', id: 'slow/0' })
    history.push({ type: 'accepted', key: 'slow', sequence: 0 })
    while (!reason) {
      // Whoever publishes is not blamed for it.
      await queue.publish(published, { key: 'quick', id: `quick/${published}` })
      history.push({ type: 'accepted', key: 'quick', sequence: published++ })
    }
    expect(reason).toMatchObject({ code: 'LOST' })
    await until(() => handled.size === published + 1, 'all are handled')
    await until(() => isEmpty(queue), 'all are settled')
    await queue.close()
    expect(violations(history)).toEqual([])
  })

  it('hazard 14: when the broker closes the channel of publishers over a message among others', async () => {
    const queue = createQueue<number>(driverAt(server.url), 'levels', { ...options, partitions: 1, publishMs: 2_000 })
    await queue.publish(0, { delayMs: 1 })
    const admin = connect({ url: server.url })
    for (let level = 0; level < 28; level++) await admin.exchangeDelete({ exchange: `headrace.delay.${level}` })
    const history: HistoryEvent[] = []
    const delayed = queue.publish(1, { delayMs: 1, id: 'late' }).catch((error: unknown) => error)
    const keys = Array.from({ length: 20 }, (_, key) => `k${key}`)
    await Promise.all(keys.map((key) => publishSurely(queue, history, key, 0)))
    expect(await delayed).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('"late"') })
    await until(
      () =>
        queue.publish(2, { delayMs: 1 }).then(
          () => true,
          () => false,
        ),
      'the levels are made again',
    )
    const handled = new Set<string>()
    const handle = recorded('one', history, handled)
    queue.consume((message) => (message.key ? handle(message) : undefined))
    await until(() => handled.size === keys.length, 'the others were stored')
    await queue.close()
    expect(violations(history)).toEqual([])
  })
})

const socketOf = (connection: Connection) => (connection as unknown as { _socket: { destroy(): void } })._socket
