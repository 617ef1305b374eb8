import { randomUUID } from 'node:crypto'
import { createQueue, reject } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { serverUrl } from '@headrace/stack'
import { Connection } from 'rabbitmq-client'
import { afterAll, expect, it } from 'vitest'
import { runCommand } from '../cli-set-up.ts'

const connections: Connection[] = []
afterAll(() => {
  for (const connection of connections) connection.unsafeDestroy()
})

function driver() {
  const connection = new Connection({ url: serverUrl('rabbitmq'), noDelay: true, frameMax: 131_072 })
  connections.push(connection)
  return rabbitmqQueue(connection)
}

const cli = (...args: string[]) =>
  runCommand(args, { terminal: false, environment: { AMQP_URL: serverUrl('rabbitmq') } })
async function json(...args: string[]) {
  const { out, err } = await cli(...args, '--json')
  expect(err).toBe('')
  return JSON.parse(out)
}

it('the command shows, redrives and purges on RabbitMQ, and finds out how a queue was declared', async () => {
  const name = `cli-${randomUUID()}`
  const queue = createQueue<string>(driver(), name, { partitions: 3, depthMax: 1_000 })
  const consumer = queue.consume(({ body }) => {
    throw reject(`no ${body}`)
  })
  for (const id of ['a', 'b', 'c']) await queue.publish(id, { id, key: id })
  while ((await queue.stats()).dead < 3) await new Promise((resolve) => setTimeout(resolve, 10))
  await consumer.close()
  for (const id of ['x', 'y']) await queue.publish(id, { id, key: 'k' })

  expect(await json('stats', name)).toMatchObject({ partitions: 3, depthMax: 1_000, waiting: 2, dead: 3 })
  expect((await json('peek', name)).map(({ id }: { id: string }) => id)).toEqual(['x', 'y'])
  expect((await json('dead', name)).map(({ id }: { id: string }) => id).toSorted()).toEqual(['a', 'b', 'c'])
  expect(await json('redrive', name, '--id', 'a')).toEqual({ redriven: 1 })
  expect(await json('purge', name, '--id', 'b', '--yes')).toEqual({ purged: 1 })
  expect((await json('dead', name)).map(({ id }: { id: string }) => id)).toEqual(['c'])
  const handled: string[] = []
  queue.consume(({ id }) => handled.push(id))
  while (handled.length < 3) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(handled.toSorted()).toEqual(['a', 'x', 'y'])
  await queue.close()

  const missing = `missing-${randomUUID()}`
  expect(await cli('stats', missing)).toMatchObject({ code: 1, err: `error: there is no queue "${missing}"\n` })
})

it('the command has a parked key on RabbitMQ tried again', async () => {
  const name = `cli-${randomUUID()}`
  const options = { partitions: 2, onExhausted: 'park', retry: { attempts: 1 } } as const
  const queue = createQueue<string>(driver(), name, options)
  let broken = true
  const handled: string[] = []
  queue.consume(({ body }) => {
    if (broken) throw new Error('broken')
    handled.push(body)
  })
  for (const body of ['first', 'second']) await queue.publish(body, { key: 'k' })
  while ((await queue.parked()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(await json('parked', name)).toMatchObject([{ key: 'k', because: { error: 'Error: broken' } }])
  broken = false
  expect(await json('unpark', name, 'k')).toEqual({ stored: true })
  while (handled.length < 2) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(handled).toEqual(['first', 'second'])
  await queue.close()
})

it('a request on RabbitMQ is answered by another process, also by the next one when the first has gone', async () => {
  const name = `requests-${randomUUID()}`
  const options = { partitions: 2 }
  const asking = createQueue<number>(driver(), name, options)
  const first = createQueue<number>(driver(), name, options)
  const firstConnection = connections.at(-1)!
  first.consume(({ body }) => (body < 0 ? new Promise(() => {}) : body * body))
  expect(await Promise.all([1, 2, 3].map((body) => asking.request<number>(body)))).toEqual([1, 4, 9])
  const hanging = asking.request<string>(-1, { timeoutMs: 60_000 })
  const held = async () => (await first.stats()).held > 0
  while (!(await held())) await new Promise((resolve) => setTimeout(resolve, 10))
  const second = createQueue<number>(driver(), name, options)
  second.consume(() => 'by the second')
  firstConnection.unsafeDestroy()
  expect(await hanging).toBe('by the second')
  await Promise.all([asking.close(), second.close()])
})
