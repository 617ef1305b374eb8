import type { QueueDriver } from '@headrace/queue'
import type { MemoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { deferred, setUp } from './set-up.ts'

/** A driver whose first `count` deliveries belong together; of others it does not say so. */
function together(count: number) {
  const settled = new Set<number>()
  const asked: (readonly number[])[] = []
  const wrap = (driver: MemoryQueue): QueueDriver => ({
    ...driver,
    async subscribe(queue, partition, subscriber) {
      const tags: number[] = []
      const { promise: done, resolve } = deferred()
      const subscription = await driver.subscribe(queue, partition, {
        ...subscriber,
        onDelivery(delivery) {
          tags.push(delivery.tag)
          subscriber.onDelivery(delivery)
        },
      })
      const belongs = (tag: number) => tags.indexOf(tag) < count
      return {
        ...subscription,
        async settle(settlements) {
          await subscription.settle(settlements)
          for (const { tag } of settlements) settled.add(tag)
          if (tags.slice(0, count).every((tag) => settled.has(tag))) resolve()
        },
        finish(running) {
          asked.push(running.map((tag) => tags.indexOf(tag)))
          return { keeps: belongs, done }
        },
      }
    },
  })
  return { wrap, asked }
}

describe('closing a consumer whose driver keeps messages together', () => {
  it('handles those that would come again with settled ones, and gives the others back', async () => {
    const { wrap, asked } = together(3)
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    await queue.publishAll([...'abcdef'].map((body) => ({ body })))
    const seen: string[] = []
    const gate = deferred()
    const consumer = queue.consume(
      async ({ body }) => {
        seen.push(body)
        await gate.promise
      },
      { concurrency: 1 },
    )
    await clock.settle()
    const closing = consumer.close()
    await clock.settle()
    expect(seen).toEqual(['a'])
    expect(asked).toEqual([[0]])
    gate.resolve()
    expect(await closing).toEqual({ abandoned: 0 })
    expect(seen).toEqual(['a', 'b', 'c'])
    expect((await queue.stats()).depth).toBe(3)
  })

  it('does so for drainMs in all, then gives them back', async () => {
    const { wrap } = together(3)
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    await queue.publishAll([...'abcdef'].map((body) => ({ body })))
    const seen: string[] = []
    const hang = deferred()
    const consumer = queue.consume(
      ({ body }) => {
        seen.push(body)
        return body === 'b' ? hang.promise : undefined
      },
      { concurrency: 1, drainMs: 1_000 },
    )
    await clock.settle()
    expect(seen).toEqual(['a', 'b'])
    const closing = consumer.close()
    await clock.advance(1_000)
    expect(await closing).toEqual({ abandoned: 1 })
    expect(seen).toEqual(['a', 'b'])
    expect((await queue.stats()).depth).toBe(5)
  })

  it('gives them back at once when its signal says so', async () => {
    const { wrap } = together(3)
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    await queue.publishAll([...'abc'].map((body) => ({ body })))
    const hang = deferred()
    const consumer = queue.consume(() => hang.promise, { concurrency: 1 })
    await clock.settle()
    expect(await consumer.close({ signal: AbortSignal.abort() })).toEqual({ abandoned: 1 })
    expect((await queue.stats()).depth).toBe(3)
  })
})
