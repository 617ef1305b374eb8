import { setTimeout as sleep } from 'node:timers/promises'
import { isHeadraceError } from '@headrace/core'
import { createQueue, type Message, type Queue, type QueueDriver, type QueueOptions } from '@headrace/queue'
import { expect } from 'vitest'
import { type HistoryEvent, violations } from '../history.ts'
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
  const history: HistoryEvent[] = []
  const handled = new Set<string>()
  for (const [process, queue] of consumers.entries()) {
    queue.consume(recorded(`${process}`, history, handled), { concurrency: 64, redeliveriesMax: 1_000 })
  }
  let confirmed = 0
  let lastMs = performance.now()
  let gapMs = 0
  const publish = async (key: string, sequence: number) => {
    await publishSurely(publisher, history, key, sequence)
    confirmed++
    gapMs = Math.max(gapMs, performance.now() - lastMs)
    lastMs = performance.now()
  }
  const publishing = Promise.all(
    messagesPerKey.map(async (count, key) => {
      for (let sequence = 0; sequence < count; sequence++) await publish(`k${key}`, sequence)
    }),
  )
  await until(() => confirmed > messageCount / 3, 'a third is published')
  await fault(() => ({ confirmed, handled: handled.size }))
  await publishing
  await until(() => handled.size === messageCount, 'all are handled')
  await until(() => isEmpty(publisher), 'all are settled')
  await Promise.all([publisher, ...consumers].map((queue) => queue.close()))
  expect(violations(history)).toEqual([])
  const duplicates = history.filter(({ type }) => type === 'handled').length - messageCount
  console.log(`${name}: ${messageCount} messages, 0 lost, 0 out of order, ${duplicates} handled again`)
  return { duplicates, gapMs }
}

/** Until it is confirmed, again and again under the same id; only what a publisher may be told is not an error. */
export async function publishSurely(
  queue: Queue<number>,
  history: HistoryEvent[],
  key: string,
  sequence: number,
): Promise<void> {
  for (;;) {
    try {
      await queue.publish(sequence, { key, id: `${key}/${sequence}` })
      history.push({ type: 'accepted', key, sequence })
      return
    } catch (error) {
      const known = isHeadraceError(error, 'BUSY') || isHeadraceError(error, 'UNAVAILABLE')
      if (!known && !isHeadraceError(error, 'TIMEOUT')) throw error
      if (!known) history.push({ type: 'unknown', key, sequence })
      await sleep(50)
    }
  }
}

/** A handler that writes down what it does. */
export function recorded(process: string, history: HistoryEvent[], handled: Set<string>) {
  return async ({ id, key = '', body: sequence, attempt }: Message<number>): Promise<void> => {
    history.push({ type: 'begun', process, key, sequence })
    try {
      await handle(attempt)
      history.push({ type: 'handled', process, key, sequence })
      handled.add(id)
    } catch (error) {
      history.push({ type: 'failed', process, key, sequence })
      throw error
    }
  }
}

/** Not yet, where the backend is not back yet. */
export const isEmpty = (queue: Queue<number>): Promise<boolean> =>
  queue.stats().then(
    ({ depth }) => depth === 0,
    () => false,
  )

/** Checks what processes that were killed have written down: each line a message that was handled. */
export function expectOrder(completed: readonly string[]): void {
  const published = messagesPerKey.flatMap((count, key) =>
    Array.from({ length: count }, (_, sequence) => ({ type: 'accepted' as const, key: `k${key}`, sequence })),
  )
  const handled = completed.map((line) => {
    const [key, sequence] = line.split('/') as [string, string]
    return { type: 'handled' as const, process: '', key, sequence: Number(sequence) }
  })
  expect(violations([...published, ...handled])).toEqual([])
}
