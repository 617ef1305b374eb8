import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createQueue } from '@headrace/queue'
import { rabbitmqQueue } from '@headrace/queue/rabbitmq'
import { serverUrl } from '@headrace/stack'
import { Connection } from 'rabbitmq-client'
import { expect, it } from 'vitest'

const child = fileURLToPath(new URL('../child/rabbitmq-poison.ts', import.meta.url))
const until = async (condition: () => boolean | Promise<boolean>) => {
  for (let tries = 0; !(await condition()); tries++) {
    if (tries > 3_000) throw new Error('it did not happen')
    await sleep(20)
  }
}

it('hazard 15: a message that kills its process each time is counted, and ends in the dead letters', {
  timeout: 60_000,
}, async () => {
  const connection = new Connection(serverUrl('rabbitmq'))
  const name = `poison-${process.pid}-${Date.now()}`
  const queue = createQueue<string>(rabbitmqQueue(connection), name, { partitions: 1 })
  for (const body of ['fine', 'poison', 'next']) await queue.publish(body, { id: body, key: 'k' })
  const start = () =>
    spawn(process.execPath, ['--conditions=@headrace/source', child, serverUrl('rabbitmq'), name, 'poison'], {
      stdio: 'inherit',
    })
  for (let crash = 0; crash < 3; crash++) {
    const [, signal] = (await once(start(), 'exit')) as [number | null, NodeJS.Signals | null]
    expect(signal).toBe('SIGKILL')
  }
  const survivor = start()
  try {
    await until(async () => (await queue.stats()).dead === 1)
    // Whoever comes next goes on behind it.
    await until(async () => (await queue.stats()).depth === 0)
  } finally {
    survivor.kill('SIGKILL')
  }
  expect(await queue.deadLetters.list()).toMatchObject([{ id: 'poison', reason: 'redelivered', attempts: 3 }])
  await queue.close()
  connection.unsafeDestroy()
})

it('hazard 27: a redrive that is cut short in the middle loses nothing, and can be made again', {
  timeout: 60_000,
}, async () => {
  const name = `redrive-${process.pid}-${Date.now()}`
  const connection = new Connection(serverUrl('rabbitmq'))
  const queue = createQueue<number>(rabbitmqQueue(connection), name, { partitions: 2, retry: { attempts: 1 } })
  const bodies = Array.from({ length: 60 }, (_, body) => body)
  await queue.publishAll(bodies.map((body) => ({ body, id: `${body}`, key: `k${body % 5}` })))
  const failing = queue.consume(() => {
    throw new Error('no')
  })
  await until(async () => (await queue.stats()).dead === bodies.length)
  await failing.close()
  // Later than the last of them: what dies from now on is not redriven.
  await sleep(2)
  for (let cut = 0; cut < 2; cut++) {
    const cutting = new Connection({ url: serverUrl('rabbitmq'), retryLow: 50 })
    const other = createQueue<number>(rabbitmqQueue(cutting), name, { partitions: 2 })
    let redriven = 0
    const filter = () => {
      if (++redriven === 10) (cutting as unknown as { _socket: { destroy(): void } })._socket.destroy()
      return true
    }
    await expect(other.deadLetters.redrive({ filter })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await other.close()
    cutting.unsafeDestroy()
  }
  const { redriven } = await queue.deadLetters.redrive()
  expect(redriven).toBeLessThanOrEqual(bodies.length - 18)
  const seen: number[] = []
  queue.consume(({ body }) => seen.push(body))
  await until(async () => new Set(seen).size === bodies.length && (await queue.stats()).depth === 0)
  // One at the most for each cut: stored again, and not yet gone from the dead letters.
  expect(seen.length).toBeLessThanOrEqual(bodies.length + 2)
  expect((await queue.stats()).dead).toBe(0)
  await queue.close()
  connection.unsafeDestroy()
})
