import { setTimeout as sleep } from 'node:timers/promises'
import { isHeadraceError } from '@headrace/core'
import { createQueue, type QueueDriver, type QueueOptions } from '@headrace/queue'
import { expect } from 'vitest'
import { until } from './rabbitmq-set-up.ts'

/** How often each key is published to: the first has a fifth of all, the last a handful. */
export const messagesPerKey: readonly number[] = skewed(100, 6_000)
export const messageCount: number = messagesPerKey.reduce((sum, count) => sum + count, 0)

export const options: Omit<QueueOptions<number>, 'schema'> = {
  partitions: 2,
  retry: { attempts: 50, delayMinMs: 5, delayMaxMs: 50 },
  publishMs: 5_000,
}

function skewed(keys: number, total: number): number[] {
  const weights = Array.from({ length: keys }, (_, key) => 1 / (key + 1))
  const sum = weights.reduce((a, b) => a + b)
  return weights.map((weight) => Math.ceil((weight / sum) * total))
}

/** Fails one time in twenty, and takes a moment. */
export async function handle(attempt: number): Promise<void> {
  await sleep(Math.random() * 3)
  if (attempt === 1 && Math.random() < 0.05) throw new Error('transient')
}

/**
 * Publishes and consumes while `fault` happens in the middle; then checks that nothing is lost and no key out of order.
 * @returns how many were handled more than once.
 */
export async function survive(
  name: string,
  drivers: { readonly publisher: QueueDriver; readonly consumers: readonly QueueDriver[] },
  fault: (progress: () => { readonly confirmed: number; readonly handled: number }) => Promise<void>,
): Promise<{ readonly duplicates: number; readonly gapMs: number }> {
  const publisher = createQueue<number>(drivers.publisher, name, options)
  const consumers = drivers.consumers.map((driver) => createQueue<number>(driver, name, options))
  const completed: string[] = []
  for (const queue of consumers) {
    queue.consume(
      async ({ key, body, attempt }) => {
        await handle(attempt)
        completed.push(`${key}/${body}`)
      },
      { concurrency: 64, redeliveriesMax: 1_000 },
    )
  }
  let confirmed = 0
  let lastMs = performance.now()
  let gapMs = 0
  const publish = async (key: number, sequence: number) => {
    for (;;) {
      try {
        await publisher.publish(sequence, { key: `k${key}`, id: `k${key}/${sequence}` })
        break
      } catch (error) {
        if (!isHeadraceError(error)) throw error
        await sleep(50)
      }
    }
    confirmed++
    gapMs = Math.max(gapMs, performance.now() - lastMs)
    lastMs = performance.now()
  }
  const publishing = Promise.all(
    messagesPerKey.map(async (count, key) => {
      for (let sequence = 0; sequence < count; sequence++) await publish(key, sequence)
    }),
  )
  await until(() => confirmed > messageCount / 3, 'a third is published')
  await fault(() => ({ confirmed, handled: new Set(completed).size }))
  await publishing
  await until(() => new Set(completed).size === messageCount, 'all are handled')
  expectOrder(completed)
  await Promise.all([publisher, ...consumers].map((queue) => queue.close()))
  const duplicates = completed.length - messageCount
  console.log(`${name}: ${messageCount} messages, 0 lost, 0 out of order, ${duplicates} handled again`)
  return { duplicates, gapMs }
}

/** Of each key, what was handled for the first time is in the order in which it was published. */
export function expectOrder(completed: readonly string[]): void {
  const firsts = messagesPerKey.map((): number[] => [])
  for (const done of new Set(completed)) {
    const [key, sequence] = done.slice(1).split('/').map(Number) as [number, number]
    firsts[key]!.push(sequence)
  }
  expect(firsts).toEqual(messagesPerKey.map((count) => Array.from({ length: count }, (_, sequence) => sequence)))
}
