import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createQueue, type Queue } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { type Bench, type BenchContext, type Contestant, defineBench } from './bench.ts'
import { closedLoop } from './closed-loop.ts'
import { emptying, endToEnd, publishing } from './queue/loads.ts'
import { type Body, body, keyOf } from './queue/message.ts'
import { amqplib, bareFrames, bullmq, headrace, rabbitmqClient } from './queue/systems.ts'

/** Published and consumed at the same time, until all that were published are handled. */
async function through(queue: Queue<Body>, context: BenchContext): Promise<{ handledPerSec: number }> {
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

/** The same with 250 messages in a call, and up to 100 in the hands of a handler. */
const throughMemoryInBatches: Contestant = async (context) => {
  const queue = createQueue<Body>(memoryQueue(), 'bench')
  let handled = 0
  let published = 0
  const handle = (messages: readonly unknown[]) => {
    handled += messages.length
  }
  queue.consumeBatch(handle, { prefetch: 1_000, concurrency: 16 })
  const start = performance.now()
  const call = async (_: number, index: number) => {
    await queue.publishAll(Array.from({ length: 250 }, (_, at) => ({ body, key: keyOf(index * 250 + at) })))
    published += 250
  }
  await closedLoop(context, { callers: 4, call })
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
    const measured = await through(createQueue<Body>(driver, 'bench'), context)
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

const prefetch = 1_000

const bench: Bench = defineBench({
  about:
    'Messages of 256 bytes: confirmed by a quorum queue of RabbitMQ, consumed from it in order per key, and through one process.',
  servers: ['rabbitmq', 'redis'],
  cases: [
    ...[1, 256, 2_000].map((callers) => ({
      name: `publish to RabbitMQ, ${callers} in flight`,
      metrics: { answeredPerSec: '1/s', p99Ms: 'ms' },
      apart: true,
      ours: publishing(headrace(), callers),
      peers: {
        'rabbitmq-client': publishing(rabbitmqClient, callers),
        amqplib: publishing(amqplib, callers),
        ...(callers > 1 && { 'bare frames, the limit': publishing(bareFrames, callers) }),
        ...(callers === 256 && { 'BullMQ, not on the disk': publishing(bullmq, callers) }),
      },
    })),
    {
      name: 'publish to RabbitMQ without frames, 256 in flight',
      metrics: { answeredPerSec: '1/s', p99Ms: 'ms' },
      apart: true,
      ours: publishing(headrace({ frames: false }), 256),
      peers: { 'rabbitmq-client': publishing(rabbitmqClient, 256) },
    },
    {
      name: 'consume from RabbitMQ, prefetch 1,000',
      metrics: { handledPerSec: '1/s' },
      apart: true,
      ours: emptying(headrace(), prefetch),
      peers: {
        'rabbitmq-client, in no order': emptying(rabbitmqClient, prefetch),
        'amqplib, in no order': emptying(amqplib, prefetch),
        'BullMQ, in no order': emptying(bullmq, prefetch),
      },
    },
    {
      name: 'consume from RabbitMQ without frames, prefetch 1,000',
      metrics: { handledPerSec: '1/s' },
      apart: true,
      ours: emptying(headrace({ frames: false, unsettledMax: prefetch }), prefetch),
      peers: { 'rabbitmq-client, in no order': emptying(rabbitmqClient, prefetch) },
    },
    {
      name: 'end to end through RabbitMQ, at half of what amqplib can',
      metrics: { offeredPerSec: '1/s', p50Ms: 'ms', p99Ms: 'ms' },
      ours: endToEnd(headrace()),
      peers: { amqplib: endToEnd(amqplib), 'BullMQ, not on the disk': endToEnd(bullmq) },
    },
    {
      name: 'through memory',
      metrics: { handledPerSec: '1/s' },
      apart: true,
      ours: (context) => through(createQueue<Body>(memoryQueue(), 'bench'), context),
    },
    {
      name: 'through memory, in batches',
      metrics: { handledPerSec: '1/s' },
      apart: true,
      ours: throughMemoryInBatches,
    },
    {
      name: 'through a SQLite file, on the disk',
      metrics: { handledPerSec: '1/s' },
      apart: true,
      ours: throughSqlite,
      peers: { 'table of jobs': tableOfJobs },
    },
  ],
})
export default bench
