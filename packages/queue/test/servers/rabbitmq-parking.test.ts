import { setTimeout as sleep } from 'node:timers/promises'
import { isHeadraceError } from '@headrace/core'
import { createQueue, type Queue, type QueueOptions } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { type Server, serverUrl, startRabbitmq } from '@headrace/stack'
import { Connection } from 'rabbitmq-client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const limitMs = 120_000
const connections: Connection[] = []
afterEach(() => {
  for (const connection of connections.splice(0)) connection.unsafeDestroy()
})
function connect(url: string): Connection {
  const connection = new Connection({ url, noDelay: true, retryLow: 50, retryHigh: 500 })
  connections.push(connection)
  return connection
}
let made = 0
const freshName = () => `parking-${process.pid}-${Date.now()}-${made++}`
const until = async (condition: () => boolean | Promise<boolean>, what: string) => {
  for (let tries = 0; !(await condition()); tries++) {
    if (tries > 3_000) throw new Error(`it did not happen: ${what}`)
    await sleep(20)
  }
}
const options: QueueOptions<string> = {
  partitions: 1,
  onExhausted: 'park',
  retry: { attempts: 2, delayMinMs: 1, delayMaxMs: 5 },
}
const open = (name: string, url = serverUrl('rabbitmq'), others: QueueOptions<string> = {}): Queue<string> =>
  createQueue<string>(rabbitmqQueue(connect(url), { consuming: connect(url) }), name, { ...options, ...others })
const letter = (body: string) => ({ body, key: body[0], id: body })

describe('a key that is parked on RabbitMQ', { timeout: limitMs }, () => {
  it('holds up nobody with its backlog, which is tried again in order, with what comes meanwhile', async () => {
    const queue = open(freshName())
    const seen: string[] = []
    let broken = true
    const consumer = queue.consume(
      ({ body }) => {
        if (broken && body.startsWith('a')) throw new Error(`no ${body}`)
        seen.push(body)
      },
      { prefetch: 50 },
    )
    const backlog = Array.from({ length: 1_500 }, (_, at) => letter(`a${at}`))
    await queue.publishAll(backlog)
    await queue.publishAll(Array.from({ length: 50 }, (_, at) => letter(`b${at}`)))
    await until(() => seen.length === 50, 'the others are handled')
    await until(async () => (await queue.stats()).depth === 0, 'the backlog is parked')
    expect(await queue.parked()).toMatchObject([
      { key: 'a', partition: 0, waiting: 1_500, id: 'a0', because: { reason: 'exhausted', error: 'Error: no a0' } },
    ])
    broken = false
    expect(await queue.unpark('a')).toBe(true)
    const more = Array.from({ length: 100 }, (_, at) => letter(`a${1_500 + at}`))
    for (const { body, ...rest } of more) await queue.publish(body, rest)
    await until(() => new Set(seen).size === 1_650, 'all are handled')
    expect([...new Set(seen)].slice(50)).toEqual([...backlog, ...more].map(({ body }) => body))
    await until(async () => (await queue.parked()).length === 0, 'nothing is parked')
    await consumer.close()
    await queue.close()
  })

  it('loses nothing and no order while connections break, an operator unparks and skips, and consumers take turns', async () => {
    const name = freshName()
    const publisher = open(name)
    let failing = 0.3
    const completed: string[] = []
    const consume = () => {
      const queue = open(name)
      queue.consume(
        async ({ body }) => {
          await sleep(Math.random() * 2)
          if (Math.random() < failing) throw new Error('no')
          completed.push(body)
        },
        { prefetch: 30, redeliveriesMax: 1_000 },
      )
      return queue
    }
    let queues = [consume(), consume()]
    const bodies = Array.from({ length: 60 }, (_, at) => at)
    const publishing = Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map(async (key) => {
        for (const at of bodies) {
          await publisher.publish(`${key}${at}`, { key, id: `${key}${at}` })
          await sleep(Math.random() * 20)
        }
      }),
    )
    const tend = async () => {
      for (const { key } of await publisher.parked()) {
        await (Math.random() < 0.1 ? publisher.skip(key) : publisher.unpark(key))
      }
    }
    for (let fault = 0; fault < 4; fault++) {
      await sleep(150)
      await tend()
      // Those of the publisher are the first two.
      for (const connection of connections.slice(2)) {
        if (connection.ready) (connection as unknown as { _socket: { destroy(): void } })._socket.destroy()
      }
      void queues[0]!.close({ signal: AbortSignal.abort() })
      queues = [queues[1]!, consume()]
    }
    await publishing
    failing = 0
    await until(async () => {
      await tend().catch((error: unknown) => {
        if (!isHeadraceError(error)) throw error
      })
      return (await publisher.parked()).length === 0 && (await publisher.stats()).depth === 0
    }, 'all are done')
    const dead = new Set((await publisher.deadLetters.list()).map(({ id }) => id))
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      const firsts = [...new Set(completed.filter((body) => body.startsWith(key)))]
      const all = bodies.map((at) => `${key}${at}`)
      expect(firsts).toEqual(all.filter((body) => firsts.includes(body)))
      expect(all.filter((body) => !firsts.includes(body) && !dead.has(body))).toEqual([])
    }
    await Promise.all([publisher, ...queues].map((queue) => queue.close()))
  })

  it('may have a bounded backlog: what is over it goes to the dead letters', async () => {
    const queue = open(freshName(), serverUrl('rabbitmq'), { depthMax: 20 })
    const consumer = queue.consume(() => {
      throw new Error('no')
    })
    for (let at = 0; at < 23; at++) {
      await queue.publish(`a${at}`, letter(`a${at}`))
      await until(async () => (await queue.stats()).depth === 0, 'it is parked')
    }
    expect(await queue.parked()).toMatchObject([{ key: 'a', waiting: 20, id: 'a0' }])
    expect(await queue.deadLetters.list()).toMatchObject(
      ['a20', 'a21', 'a22'].map((id) => ({ id, reason: 'overflow', error: expect.stringContaining('full') })),
    )
    await consumer.close()
    await queue.close()
  })
})

describe('a key that is parked on RabbitMQ', { timeout: limitMs }, () => {
  let server: Server
  beforeAll(async () => {
    server = await startRabbitmq()
  }, limitMs)
  afterAll(() => server.stop(), limitMs)

  it('is parked when the broker and the process are back', async () => {
    const first = open('restarted', server.url)
    first.consume(() => {
      throw new Error('no')
    })
    await first.publishAll(['a0', 'a1', 'a2'].map(letter))
    await until(async () => (await first.parked())[0]?.waiting === 3, 'all are parked')
    await first.close()
    // In order, because the broker itself loses what is younger than the first ten seconds of its queue.
    await server.restart()
    const second = open('restarted', server.url)
    expect(await second.parked()).toMatchObject([{ key: 'a', waiting: 3, id: 'a0', because: { error: 'Error: no' } }])
    const seen: string[] = []
    expect(await second.skip('a')).toBe(true)
    await second.publish('a3', letter('a3'))
    second.consume(({ body }) => seen.push(body))
    await until(() => seen.length === 3, 'those left are handled')
    expect(seen).toEqual(['a1', 'a2', 'a3'])
    await until(async () => (await second.stats()).dead === 1, 'the failed one is among the dead letters')
    expect(await second.deadLetters.list()).toMatchObject([{ id: 'a0', reason: 'exhausted', error: 'Error: no' }])
    await second.close()
  })
})
