import { setTimeout as sleep } from 'node:timers/promises'
import { createQueue, reject } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { serverUrl } from '@headrace/stack'
import { Connection } from 'rabbitmq-client'
import { afterEach, describe, expect, it } from 'vitest'

const connections: Connection[] = []
function connect(options: { readonly frameMax?: number } = {}): Connection {
  const connection = new Connection({ url: serverUrl('rabbitmq'), noDelay: true, ...options })
  connections.push(connection)
  return connection
}
afterEach(() => {
  for (const connection of connections.splice(0)) connection.unsafeDestroy()
})
let made = 0
const freshName = () => `rabbitmq-${process.pid}-${Date.now()}-${made++}`
const until = async (condition: () => boolean | Promise<boolean>) => {
  for (let tries = 0; !(await condition()); tries++) {
    if (tries > 1_000) throw new Error('it did not happen')
    await sleep(10)
  }
}

describe('a queue on RabbitMQ', () => {
  it.each([8_192, 131_072])('hazard 19: carries messages around the size of a frame of %i bytes', async (frameMax) => {
    const queue = createQueue<string>(rabbitmqQueue(connect({ frameMax })), freshName(), { partitions: 1 })
    const sizes = [0, 1].concat(
      [1, 2].flatMap((frames) => [-10, -9, -8, -7, -1, 0, 1].map((off) => frames * frameMax + off)),
    )
    const received: number[] = []
    queue.consume(({ body }) => {
      if (!/^x*$/.test(body)) throw reject('changed on the way')
      received.push(body.length)
    })
    // Two more for the quotation marks of JSON.
    const bodies = sizes.map((size) => 'x'.repeat(Math.max(0, size - 2)))
    for (const body of bodies) await queue.publish(body, { key: 'k' })
    await until(() => received.length === sizes.length)
    expect(received).toEqual(bodies.map((body) => body.length))
    expect((await queue.stats()).dead).toBe(0)
    await queue.close()
  })

  it('takes messages of others: their body is the payload, and what is not JSON goes to the dead letters', async () => {
    const name = freshName()
    const connection = connect()
    const queue = createQueue<unknown>(rabbitmqQueue(connection), name, { partitions: 1 })
    await queue.open()
    const publisher = connection.createPublisher({ confirm: true })
    const routingKey = `${name}.p0`
    await publisher.send({ routingKey, messageId: 'object', timestamp: 1_700_000_000 }, { n: 1 })
    await publisher.send({ routingKey, messageId: 'text' }, '"a string"')
    await publisher.send(
      { routingKey, messageId: 'bytes', contentType: 'application/octet-stream' },
      Buffer.from('[1]'),
    )
    await publisher.send({ routingKey, headers: { headrace: '{' } }, Buffer.from('{'))
    const seen: unknown[] = []
    queue.consume(({ id, key, body, publishedAtMs }) => seen.push({ id, key, body, publishedAtMs }), { concurrency: 1 })
    await until(async () => seen.length === 3 && (await queue.stats()).dead === 1)
    expect(seen).toMatchObject([
      { id: 'object', key: undefined, body: { n: 1 }, publishedAtMs: 1_700_000_000_000 },
      { id: 'text', body: 'a string' },
      { id: 'bytes', body: [1] },
    ])
    expect(await queue.deadLetters.list()).toMatchObject([{ id: '', body: undefined, reason: 'invalid' }])
    await publisher.close()
    await queue.close()
  })

  it('hazard 20: names the argument of a queue that was declared otherwise', async () => {
    const name = freshName()
    await createQueue(rabbitmqQueue(connect()), name, { partitions: 2, depthMax: 1_000 }).open()
    const other = createQueue(rabbitmqQueue(connect()), name, { partitions: 2, depthMax: 2_000 })
    await expect(other.open()).rejects.toMatchObject({
      code: 'REJECTED',
      message: expect.stringContaining('x-max-length is 1000, not 2000'),
    })
  })

  it('declares its queue again when somebody has deleted it', async () => {
    const name = freshName()
    const connection = connect()
    const lost: unknown[] = []
    const queue = createQueue<string>(rabbitmqQueue(connection), name, {
      partitions: 1,
      observe: (event) => event.type === 'lost' && lost.push(event.cause),
    })
    const seen: string[] = []
    queue.consume(({ body }) => seen.push(body))
    await queue.publish('a')
    await until(() => seen.length === 1)
    await connection.queueDelete({ queue: `${name}.p0` })
    await until(() => lost.length > 0)
    await queue.publish('b').catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'REJECTED', message: expect.stringContaining('no such queue') })
      return queue.publish('b')
    })
    await until(() => seen.length === 2)
    expect(seen).toEqual(['a', 'b'])
    await queue.close()
  })

  it('hazard 26: keeps a message that belongs to the dead letters while those are full', async () => {
    const name = freshName()
    const lost: string[] = []
    const queue = createQueue<number>(rabbitmqQueue(connect()), name, {
      partitions: 1,
      depthMax: 2,
      observe: (event) => event.type === 'lost' && lost.push(String(event.cause)),
    })
    const consumer = queue.consume(() => {
      throw reject('no')
    })
    for (let body = 0; body < 6; body++) {
      await queue.publish(body, { id: `${body}` })
      await until(async () => lost.length > 0 || (await queue.stats()).dead === body + 1)
      if (lost.length > 0) break
    }
    expect(lost[0]).toContain('the broker did not store it: full')
    const { dead } = await queue.stats()
    await queue.deadLetters.purge()
    await until(async () => (await queue.stats()).dead === 1)
    expect(await queue.deadLetters.list()).toMatchObject([{ id: `${dead}` }])
    await consumer.close()
    await queue.close()
  })

  it('hazard 26: keeps a message that belongs to the dead letters when somebody has deleted those', async () => {
    const name = freshName()
    const connection = connect()
    const queue = createQueue<number>(rabbitmqQueue(connection), name, { partitions: 1 })
    await queue.open()
    await connection.queueDelete({ queue: `${name}.dead` })
    await queue.publish(1, { id: 'kept' })
    queue.consume(() => {
      throw reject('no')
    })
    await until(async () => (await queue.deadLetters.list().catch(() => [])).length === 1)
    expect(await queue.deadLetters.list()).toMatchObject([
      { id: 'kept', reason: 'rejected', error: expect.stringContaining('no') },
    ])
    // The broker counts a little later.
    await until(async () => {
      const { depth, dead } = await queue.stats()
      return depth === 0 && dead === 1
    })
    await queue.close()
  })

  it('shows what the broker itself has given up', async () => {
    const name = freshName()
    const connection = connect()
    const queue = createQueue<string>(rabbitmqQueue(connection), name, { partitions: 1 })
    await queue.publish('x', { id: 'given up', key: 'k' })
    // What the broker does at its own limit of deliveries, it does to a message that is refused without a requeue.
    const channel = await connection.acquire()
    await channel.basicConsume({ queue: `${name}.p0` }, ({ deliveryTag }) =>
      channel.basicNack({ deliveryTag, requeue: false }),
    )
    await until(async () => (await queue.stats()).dead === 1)
    await channel.close()
    expect(await queue.deadLetters.list()).toMatchObject([
      { id: 'given up', key: 'k', body: 'x', reason: 'redelivered', error: 'dead-lettered by the broker: rejected' },
    ])
    expect(await queue.deadLetters.redrive()).toEqual({ redriven: 1 })
    await until(async () => (await queue.stats()).depth === 1)
    await queue.close()
  })

  it('refuses a delay that its levels do not reach', async () => {
    const queue = createQueue<string>(rabbitmqQueue(connect()), freshName(), { partitions: 1 })
    const delays = [300 * 86_400_000, 100, 0]
    const results = await Promise.allSettled(delays.map((delayMs) => queue.publish('x', { delayMs })))
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(results[0]).toMatchObject({ reason: { code: 'REJECTED', message: /delays reach up to/ } })
    await until(async () => (await queue.stats()).depth === 2)
    await queue.close()
  })

  it('closes before it has ever connected, and twice', async () => {
    const nowhere = new Connection({ url: 'amqp://127.0.0.1:1', acquireTimeout: 200 })
    connections.push(nowhere)
    const driver = rabbitmqQueue(nowhere)
    const queue = createQueue<string>(driver, 'nowhere', { callMs: 500 })
    queue.consume(() => {})
    await expect(queue.publish('x')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await queue.close()
    await driver.close()
    await driver.close()
  })

  it('wants connections of the client, to know whether there are frames, and how much it may hold', () => {
    expect(() => rabbitmqQueue({} as never)).toThrow('connection must be a Connection of rabbitmq-client')
    expect(() => rabbitmqQueue(connect(), { frames: 'no' as never })).toThrow(
      'frames must be a boolean, received string',
    )
    expect(() => rabbitmqQueue(connect(), { unsettledMax: 0 })).toThrow('unsettledMax')
  })
})
