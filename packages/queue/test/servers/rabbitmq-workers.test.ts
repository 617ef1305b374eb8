import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createQueue } from '@headrace/queue'
import { serverUrl } from '@headrace/stack'
import { describe, it } from 'vitest'
import { expectOrder, messageCount, messagesPerKey, options } from './rabbitmq-history.ts'
import { driverAt, until } from './rabbitmq-set-up.ts'

const workerFile = fileURLToPath(new URL('../child/rabbitmq-worker.ts', import.meta.url))

/** A queue that is full, and processes that empty it. */
async function withWorkers(
  name: string,
  work: (start: () => ChildProcess, completed: () => string[]) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-workers-'))
  const log = join(folder, 'log')
  writeFileSync(log, '')
  const completed = () => readFileSync(log, 'utf8').split('\n').slice(0, -1)
  const url = serverUrl('rabbitmq')
  const unique = `${name}-${process.pid}-${Date.now()}`
  await using queue = createQueue<number>(driverAt(url), unique, { ...options, publishMs: 60_000 })
  const all = messagesPerKey.flatMap((count, key) =>
    Array.from({ length: count }, (_, body) => ({ body, key: `k${key}`, id: `k${key}/${body}` })),
  )
  await queue.publishAll(all.sort((a, b) => a.body - b.body))
  const workers: ChildProcess[] = []
  const start = () => {
    const args = ['--conditions=@headrace/source', workerFile, url, unique, log]
    const worker = spawn(process.execPath, args, { stdio: 'inherit' })
    workers.push(worker)
    return worker
  }
  try {
    await work(start, completed)
    await until(() => new Set(completed()).size === messageCount, 'all are handled')
    expectOrder(completed())
    console.log(`${name}: ${messageCount} messages, 0 lost, 0 out of order, ${completed().length - messageCount} again`)
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

describe('processes that consume a queue on RabbitMQ: nothing is lost and no key is out of order', () => {
  it('hazard 11: when they are killed', async () => {
    await withWorkers('killed-consumer', async (start, completed) => {
      let [active, standby] = [start(), start()]
      for (let killed = 0; killed < 3; killed++) {
        const before = completed().length
        await until(() => completed().length > before + 500, 'some hundred more are handled')
        active.kill('SIGKILL')
        ;[active, standby] = [standby, start()]
      }
    })
  })

  it('hazard 12: when one stands still, loses its place to another, and goes on later', async () => {
    await withWorkers('frozen-consumer', async (start, completed) => {
      const frozen = start()
      await until(() => completed().length > 500, 'some hundred are handled')
      start()
      frozen.kill('SIGSTOP')
      const before = completed().length
      await until(() => completed().length > before + 500, 'the other has taken over')
      frozen.kill('SIGCONT')
    })
  })
})
