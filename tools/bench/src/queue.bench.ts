import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createQueue, type Queue } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { Connection } from 'rabbitmq-client'
import { type Bench, type BenchContext, type Contestant, defineBench } from './bench.ts'
import { closedLoop } from './closed-loop.ts'

// 256 bytes of JSON.
const body = { text: 'x'.repeat(245) }
const keyOf = (index: number) => `k${index % 1_000}`
let made = 0

async function withConnections<T>(
  { url }: BenchContext,
  work: (...pair: [Connection, Connection]) => Promise<T>,
): Promise<T> {
  const options = { url: url('rabbitmq'), heartbeat: 5, noDelay: true, frameMax: 131_072 }
  const pair: [Connection, Connection] = [new Connection(options), new Connection(options)]
  for (const connection of pair) connection.on('error', () => {})
  try {
    return await work(...pair)
  } finally {
    for (const connection of pair) connection.unsafeDestroy()
  }
}

const publishing =
  (callers: number): Contestant =>
  (context) =>
    withConnections(context, async (connection, consuming) => {
      const driver = rabbitmqQueue(connection, { consuming })
      const queue = createQueue<typeof body>(driver, `bench-${process.pid}-${made++}`, { partitions: 1 })
      await queue.open()
      const call = (_: number, index: number) => queue.publish(body, { key: keyOf(index) })
      const { answeredPerSec, p99Ms } = await closedLoop(context, { callers, call })
      return { answeredPerSec, p99Ms }
    })

const publishingWithClient =
  (callers: number): Contestant =>
  (context) =>
    withConnections(context, async (connection) => {
      const routingKey = `bench-${process.pid}-${made++}`
      const queues = [{ queue: routingKey, durable: true, arguments: { 'x-queue-type': 'quorum' as const } }]
      const publisher = connection.createPublisher({ confirm: true, queues })
      const call = () => publisher.send({ routingKey, durable: true }, body)
      const { answeredPerSec, p99Ms } = await closedLoop(context, { callers, call })
      return { answeredPerSec, p99Ms }
    })

const backlog = ({ quick }: BenchContext) => (quick ? 5_000 : 40_000)

/** How fast a full queue is emptied by a handler that does nothing. */
async function emptied(count: number, consume: (handled: () => void) => void): Promise<{ handledPerSec: number }> {
  const start = performance.now()
  let left = count
  await new Promise<void>((resolve) => consume(() => --left === 0 && resolve()))
  return { handledPerSec: (count / (performance.now() - start)) * 1e3 }
}

async function fill(queue: Queue<typeof body>, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1_000) {
    await queue.publishAll(Array.from({ length: 1_000 }, (_, at) => ({ body, key: keyOf(index + at) })))
  }
}

const consuming: Contestant = (context) =>
  withConnections(context, async (connection, consuming) => {
    const driver = rabbitmqQueue(connection, { consuming })
    const queue = createQueue<typeof body>(driver, `bench-${process.pid}-${made++}`, { partitions: 1 })
    await fill(queue, backlog(context))
    return await emptied(backlog(context), (handled) => queue.consume(handled, { prefetch: 1_000, concurrency: 1_000 }))
  })

const consumingWithClient: Contestant = (context) =>
  withConnections(context, async (connection, consuming) => {
    const name = `bench-${process.pid}-${made++}`
    await fill(createQueue<typeof body>(rabbitmqQueue(connection), name, { partitions: 1 }), backlog(context))
    const options = { queue: `${name}.p0`, queueOptions: { passive: true }, qos: { prefetchCount: 1_000 } }
    return await emptied(backlog(context), (handled) => consuming.createConsumer(options, async () => handled()))
  })

/** Published and consumed at the same time, until all that were published are handled. */
async function through(queue: Queue<typeof body>, context: BenchContext): Promise<{ handledPerSec: number }> {
  let handled = 0
  let published = 0
  queue.consume(() => handled++, { prefetch: 1_000, concurrency: 256 })
  const start = performance.now()
  const call = async (_: number, index: number) => {
    await queue.publish(body, { key: keyOf(index) })
    published++
  }
  await closedLoop(context, { callers: 256, call })
  while (handled < published) await new Promise((resolve) => setImmediate(resolve))
  const handledPerSec = (handled / (performance.now() - start)) * 1e3
  await queue.close()
  return { handledPerSec }
}

async function withFile<T>(work: (path: string) => Promise<T> | T): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-bench-'))
  try {
    return await work(join(folder, 'bench.db'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const throughSqlite: Contestant = (context) =>
  withFile(async (path) => {
    const driver = sqliteQueue(path)
    const measured = await through(createQueue<typeof body>(driver, 'bench'), context)
    await driver.close()
    return measured
  })

/** What one writes first: a table of jobs, a transaction to put one in and a transaction to take one out. */
const tableOfJobs: Contestant = ({ durationMs }) =>
  withFile((path) => {
    using db = new DatabaseSync(path)
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    db.exec('CREATE TABLE jobs (id INTEGER PRIMARY KEY, key TEXT NOT NULL, body TEXT NOT NULL)')
    const put = db.prepare('INSERT INTO jobs (key, body) VALUES (?, ?)')
    const take = db.prepare('DELETE FROM jobs WHERE id = (SELECT min(id) FROM jobs) RETURNING body')
    const start = performance.now()
    let handled = 0
    for (; performance.now() - start < durationMs; handled++) {
      put.run(keyOf(handled), JSON.stringify(body))
      take.all()
    }
    return { handledPerSec: (handled / (performance.now() - start)) * 1e3 }
  })

const bench: Bench = defineBench({
  about:
    'Messages of 256 bytes: confirmed by a RabbitMQ quorum queue, consumed from it in order per key, and through one process.',
  servers: ['rabbitmq'],
  cases: [
    ...[1, 256, 2_000].map((callers) => ({
      name: `publish to RabbitMQ, ${callers} in flight`,
      metrics: { answeredPerSec: '1/s', p99Ms: 'ms' },
      ours: publishing(callers),
      peers: { 'rabbitmq-client': publishingWithClient(callers) },
    })),
    {
      name: 'consume from RabbitMQ, prefetch 1,000',
      metrics: { handledPerSec: '1/s' },
      ours: consuming,
      peers: { 'rabbitmq-client, in no order': consumingWithClient },
    },
    {
      name: 'through memory',
      metrics: { handledPerSec: '1/s' },
      ours: (context) => through(createQueue<typeof body>(memoryQueue(), 'bench'), context),
    },
    {
      name: 'through a SQLite file, on the disk',
      metrics: { handledPerSec: '1/s' },
      ours: throughSqlite,
      peers: { 'table of jobs': tableOfJobs },
    },
  ],
})
export default bench
