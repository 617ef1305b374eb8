import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isHeadraceError } from '@headrace/core'
import { createQueue, type QueueDriver, type QueueEvent, type QueueOptions } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { type Server, startRabbitmq } from '@headrace/stack'
import { type Channel, Connection } from 'rabbitmq-client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const limitMs = 120_000
let server: Server
const connections: Connection[] = []

function connect(url = server.url): Connection {
  const connection = new Connection({
    url,
    frameMax: 131_072,
    noDelay: true,
    heartbeat: 2,
    retryLow: 50,
    retryHigh: 500,
  })
  connections.push(connection)
  return connection
}
const driverOf = (publishing = connect(), consuming = connect()): QueueDriver =>
  rabbitmqQueue(publishing, { consuming })

afterEach(() => {
  for (const connection of connections.splice(0)) connection.unsafeDestroy()
})

const until = async (condition: () => boolean | Promise<boolean>, what: string, ms = 60_000) => {
  const end = Date.now() + ms
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`it did not happen within ${ms} ms: ${what}`)
    await sleep(20)
  }
}

const keys = 20
const perKey = 60
const options: QueueOptions<number> = {
  partitions: 2,
  retry: { attempts: 50, delayMinMs: 5, delayMaxMs: 50 },
  publishMs: 5_000,
}

/** Publishes and consumes while `fault` happens in the middle; then checks that nothing is lost or out of order. */
async function survive(name: string, fault: () => Promise<void>): Promise<void> {
  const publisher = createQueue<number>(driverOf(), name, options)
  const consumers = [createQueue<number>(driverOf(), name, options), createQueue<number>(driverOf(), name, options)]
  const completed: string[] = []
  for (const queue of consumers) {
    queue.consume(
      async ({ key, body, attempt }) => {
        await sleep(Math.random() * 4)
        if (attempt === 1 && Math.random() < 0.05) throw new Error('transient')
        completed.push(`${key}/${body}`)
      },
      { concurrency: 20, redeliveriesMax: 1_000 },
    )
  }
  let confirmed = 0
  const publish = async (key: number, sequence: number) => {
    for (;;) {
      try {
        await publisher.publish(sequence, { key: `k${key}`, id: `k${key}/${sequence}` })
        confirmed++
        return
      } catch (error) {
        if (!isHeadraceError(error)) throw error
        await sleep(50)
      }
    }
  }
  const publishing = Promise.all(
    Array.from({ length: keys }, async (_, key) => {
      for (let sequence = 0; sequence < perKey; sequence++) {
        await publish(key, sequence)
        await sleep(Math.random() * 10)
      }
    }),
  )
  await until(() => confirmed > (keys * perKey) / 3, 'a third is published')
  await fault()
  await publishing
  await until(() => new Set(completed).size === keys * perKey, 'all are handled')
  for (let key = 0; key < keys; key++) {
    const firsts = [...new Set(completed.filter((it) => it.startsWith(`k${key}/`)))]
    expect(firsts).toEqual(Array.from({ length: perKey }, (_, sequence) => `k${key}/${sequence}`))
  }
  await Promise.all([publisher, ...consumers].map((queue) => queue.close()))
}

describe('RabbitMQ under faults: nothing is lost and no key is out of order', { timeout: limitMs }, () => {
  beforeAll(async () => {
    server = await startRabbitmq()
  }, limitMs)
  afterAll(() => server.stop(), limitMs)

  /** The broker itself loses what is younger than its queue's first ten seconds, unless it was restarted in order. */
  async function settled(name: string): Promise<void> {
    await createQueue(driverOf(), name, options).stats()
    await server.restart()
  }

  it('when the broker is killed', async () => {
    await settled('killed')
    await survive('killed', async () => {
      await server.kill()
      await server.restart()
    })
  })

  it('when the broker stands still for longer than a heartbeat', async () => {
    await survive('paused', async () => {
      server.pause()
      await sleep(8_000)
      server.resume()
    })
  })

  it('when processes that consume are killed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'headrace-consumers-'))
    const log = join(folder, 'log')
    writeFileSync(log, '')
    const completed = () => readFileSync(log, 'utf8').split('\n').slice(0, -1)
    const queue = createQueue<number>(driverOf(), 'killed-consumer', { ...options, publishMs: 60_000 })
    const bodies = Array.from({ length: perKey }, (_, sequence) => sequence)
    for (const body of bodies) {
      await queue.publishAll(
        Array.from({ length: keys }, (_, key) => ({ body, key: `k${key}`, id: `k${key}/${body}` })),
      )
    }
    const worker = fileURLToPath(new URL('../child/rabbitmq-worker.ts', import.meta.url))
    const start = () =>
      spawn(process.execPath, ['--conditions=@headrace/source', worker, server.url, log], { stdio: 'inherit' })
    let running = [start(), start()]
    try {
      for (let killed = 0; killed < 3; killed++) {
        const before = completed().length
        await until(() => completed().length > before + 100, 'a hundred more are handled')
        const [victim, standby] = running as [ChildProcess, ChildProcess]
        victim.kill('SIGKILL')
        running = [standby, start()]
      }
      await until(() => new Set(completed()).size === keys * perKey, 'all are handled')
    } finally {
      for (const child of running) child.kill('SIGKILL')
    }
    for (let key = 0; key < keys; key++) {
      const firsts = [...new Set(completed().filter((it) => it.startsWith(`k${key}/`)))]
      expect(firsts).toEqual(bodies.map((body) => `k${key}/${body}`))
    }
    await queue.close()
    rmSync(folder, { recursive: true })
  })

  it('when connections break again and again', async () => {
    await survive('broken', async () => {
      for (let times = 0; times < 5; times++) {
        for (const connection of connections)
          (connection as unknown as { _socket: { destroy(): void } })._socket.destroy()
        await sleep(200)
      }
    })
  })

  it('when the broker closes the channels of consumers in the first burst of deliveries', async () => {
    const consuming = connect()
    const channels: Channel[] = []
    const acquire = consuming.acquire.bind(consuming)
    consuming.acquire = async (options) => {
      const channel = await acquire(options)
      channels.push(channel)
      return channel
    }
    const queue = createQueue<number>(driverOf(connect(), consuming), 'burst', options)
    const bodies = Array.from({ length: 2_000 }, (_, body) => ({ body, key: `k${body % 50}` }))
    await queue.publishAll(bodies)
    const completed: number[] = []
    queue.consume(({ body }) => completed.push(body), { prefetch: 500, concurrency: 2, redeliveriesMax: 1_000 })
    for (let times = 0; times < 5; times++) {
      await until(() => channels.some((channel) => channel.active), 'a channel')
      // A tag that was never given out: the broker closes the channel for it.
      for (const channel of channels.splice(0)) if (channel.active) channel.basicAck({ deliveryTag: 1_000_000 })
      await sleep(100)
    }
    await until(() => new Set(completed).size === bodies.length, 'all are handled')
    for (let key = 0; key < 50; key++) {
      const firsts = [...new Set(completed.filter((body) => body % 50 === key))]
      expect(firsts).toEqual(bodies.map(({ body }) => body).filter((body) => body % 50 === key))
    }
    await until(async () => (await queue.stats()).depth === 0, 'everything is settled')
    await queue.close()
  })

  it('and delayed messages come in time, never early, and survive the death of the broker on their way', {
    timeout: 360_000,
  }, async () => {
    const queue = createQueue<number>(driverOf(), 'delayed', options)
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
    const late = [...lateMs.values()]
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
    expect(late.sort((a, b) => a - b)[20]).toBeLessThan(500)

    await server.restart()
    await until(
      () =>
        publish(100, 600_000).then(
          () => true,
          () => false,
        ),
      'the connection is back',
    )
    for (let body = 101; body <= 140; body++) await publish(body, 6_000 + Math.random() * 2_000)
    await server.kill()
    await server.restart()
    // What the broker forwards to a queue that is not back yet, it forwards again after three minutes.
    const last = Array.from({ length: 40 }, (_, at) => 101 + at)
    await until(() => last.every((body) => lateMs.has(body)), 'all that are due have come', 240_000)
    expect(Math.min(...lateMs.values())).toBeGreaterThanOrEqual(0)
    expect(lateMs.has(100)).toBe(false)
    await consumer.close()
    await queue.close()
  })

  it('and a publish that gets no answer ends at its deadline, perhaps stored', async () => {
    const queue = createQueue<number>(driverOf(), 'silent', { ...options, publishMs: 1_000 })
    await queue.publish(0)
    server.pause()
    // A busy machine takes a moment to stop all threads of a process.
    await sleep(200)
    const started = performance.now()
    const results = await Promise.allSettled([1, 2, 3].map((body) => queue.publish(body)))
    server.resume()
    expect(performance.now() - started).toBeLessThan(1_500)
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'TIMEOUT' } })
    await until(async () => (await queue.stats()).depth === 4, 'all were stored after all')
    await queue.close()
  })
})

describe('a RabbitMQ that is short of memory', { timeout: limitMs }, () => {
  beforeAll(async () => {
    server = await startRabbitmq({ settings: ['vm_memory_high_watermark.absolute = 1MB'] })
  }, limitMs)
  afterAll(() => server.stop(), limitMs)

  it('has publishers refused at once after the first, and answers everybody else', async () => {
    const events: QueueEvent[] = []
    const observe = (event: QueueEvent) => events.push(event)
    const queue = createQueue<number>(driverOf(), 'alarm', { ...options, publishMs: 1_000, callMs: 5_000, observe })
    // The broker says that it blocks when it is given the first message; that one it keeps waiting.
    await expect(queue.publish(0)).rejects.toMatchObject({ code: 'TIMEOUT' })
    const started = performance.now()
    for (let body = 1; body < 100; body++) {
      await expect(queue.publish(body)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
    expect(performance.now() - started).toBeLessThan(500)
    queue.consume(() => {})
    await until(() => events.filter(({ type }) => type === 'subscribed').length === 2, 'the consumer subscribes')
    expect(await queue.stats()).toMatchObject({ depth: 0, unconfirmed: 1 })
    expect(await queue.deadLetters.list()).toEqual([])
    await queue.close()
  })
})
