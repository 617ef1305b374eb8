import { isHeadraceError } from '@headrace/core'
import type { MemoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { deferred, setUp } from './set-up.ts'

describe('consume, when subscriptions end and the consumer closes', () => {
  it('tells a handler whose delivery is gone, does not settle it, and takes it up again when the old one has ended', async () => {
    const { queue, driver, clock, of } = setUp()
    const handlers: { readonly signal: AbortSignal; end(): void; readonly attempt: number }[] = []
    queue.consume(({ attempt }, { signal }) => {
      const { promise, resolve } = deferred()
      handlers.push({ signal, end: resolve, attempt })
      return promise
    })
    await queue.publish('x', { key: 'k' })
    await clock.settle()
    driver.disconnect()
    expect(isHeadraceError(handlers[0]!.signal.reason, 'LOST')).toBe(true)
    await clock.advance(10_000)
    expect(handlers).toHaveLength(1)
    handlers[0]!.end()
    await clock.settle()
    expect(handlers).toHaveLength(2)
    expect(handlers[1]!.attempt).toBe(2)
    expect((await queue.stats()).depth).toBe(1)
    handlers[1]!.end()
    await clock.settle()
    expect((await queue.stats()).depth).toBe(0)
    expect(of('lost').length).toBeGreaterThanOrEqual(8)
    expect(of('subscribed')).toHaveLength(16)
  })

  it('hazard 34: takes nothing from a subscription that has ended', async () => {
    const subscribers: Parameters<MemoryQueue['subscribe']>[2][] = []
    const wrap = (driver: MemoryQueue) => ({
      ...driver,
      subscribe(queue: string, partition: number, subscriber: Parameters<MemoryQueue['subscribe']>[2]) {
        subscribers.push(subscriber)
        return driver.subscribe(queue, partition, subscriber)
      },
    })
    const { queue, driver, clock } = setUp({ partitions: 1 }, { wrap })
    let handled = 0
    queue.consume(() => handled++)
    await clock.settle()
    driver.disconnect()
    const message = { id: 'late', key: 'k', partition: 0, payload: '1', headers: {}, publishedAtMs: 0 }
    subscribers[0]!.onDelivery({ tag: 1, message, redeliveries: 0 })
    await clock.advance(10_000)
    expect(subscribers).toHaveLength(2)
    expect(handled).toBe(0)
  })

  it('subscribes again with growing pauses while the backend is away', async () => {
    const { queue, driver, clock, of } = setUp({ partitions: 1 })
    const seen: string[] = []
    queue.consume((message) => seen.push(message.body))
    await queue.publish('a')
    await clock.settle()
    driver.disconnect(60_000)
    await clock.advance(59_000)
    const lost = of('lost')
    expect(lost.length).toBeGreaterThan(10)
    expect(lost.length).toBeLessThan(80)
    expect(Math.max(...lost.map((event) => event.delayMs))).toBeGreaterThan(2_000)
    await clock.advance(10_000)
    await queue.publish('b')
    await clock.settle()
    expect(seen).toEqual(['a', 'b'])
  })

  it('gives up a message that was delivered redeliveriesMax times without an end', async () => {
    const { queue, driver, clock } = setUp()
    let calls = 0
    queue.consume(
      (_, { signal }) => {
        calls++
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
      { redeliveriesMax: 3 },
    )
    await queue.publish('killer', { id: 'killer' })
    for (let crash = 0; crash < 3; crash++) {
      await clock.advance(10_000)
      driver.disconnect()
    }
    await clock.advance(10_000)
    expect(calls).toBe(3)
    expect(await queue.deadLetters.list()).toMatchObject([{ id: 'killer', reason: 'redelivered', attempts: 3 }])
  })

  it('makes a new subscription when a settlement fails, so that the message comes again', async () => {
    let failures = 1
    const wrap = (driver: MemoryQueue) => ({
      ...driver,
      async subscribe(...args: Parameters<MemoryQueue['subscribe']>) {
        const subscription = await driver.subscribe(...args)
        return {
          ...subscription,
          settle: (all: Parameters<typeof subscription.settle>[0]) =>
            failures-- > 0 ? Promise.reject(new Error('disk full')) : subscription.settle(all),
        }
      },
    })
    const { queue, clock, of } = setUp({ partitions: 1 }, { wrap })
    const seen: string[] = []
    queue.consume((message) => seen.push(message.body))
    await queue.publish('x')
    await clock.advance(10_000)
    expect(seen).toEqual(['x', 'x'])
    expect(of('lost')).toMatchObject([{ partition: 0, cause: new Error('disk full') }])
    expect((await queue.stats()).depth).toBe(0)
  })

  it('hazard 30: closes within its limits although the backend hangs', async () => {
    const hang = () => new Promise<never>(() => {})
    const wrap = (driver: MemoryQueue) => ({
      ...driver,
      subscribe: async (...args: Parameters<MemoryQueue['subscribe']>) => ({
        ...(await driver.subscribe(...args)),
        settle: hang,
        close: hang,
      }),
    })
    const { queue, clock } = setUp({ callMs: 1_000 }, { wrap })
    queue.consume(() => {})
    await queue.publish('x')
    await clock.settle()
    const closing = queue.close()
    await clock.advance(2_000)
    await closing
    expect(clock.pending).toBe(0)
  })

  it('undoes a subscription that comes after close', async () => {
    const answer = deferred()
    let closed = 0
    const wrap = (driver: MemoryQueue) => ({
      ...driver,
      async subscribe(...args: Parameters<MemoryQueue['subscribe']>) {
        await answer.promise
        const subscription = await driver.subscribe(...args)
        return { ...subscription, close: () => subscription.close().then(() => closed++) as never }
      },
    })
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    const consumer = queue.consume(() => {})
    await clock.settle()
    await consumer.close()
    answer.resolve()
    await clock.settle()
    expect(closed).toBe(1)
  })

  it('stops waiting for handlers when the signal of close fires', async () => {
    const { queue, clock } = setUp()
    const consumer = queue.consume(() => new Promise(() => {}))
    await queue.publish('x')
    await clock.settle()
    const stop = new AbortController()
    const closing = [consumer.close(), consumer.close({ signal: stop.signal })]
    await clock.settle()
    stop.abort()
    expect(await Promise.all(closing)).toEqual([{ abandoned: 1 }, { abandoned: 1 }])
  })

  it('lets go of what waits for its next attempt', async () => {
    const { queue, clock, of } = setUp({ retry: { delayMinMs: 60_000, delayMaxMs: 60_000 } })
    const consumer = queue.consume(() => {
      throw new Error('no')
    })
    await queue.publish('x')
    await clock.settle()
    expect(of('retry')).toHaveLength(1)
    expect(clock.pending).toBe(1)
    await consumer.close()
    expect(clock.pending).toBe(0)
    expect((await queue.stats()).depth).toBe(1)
  })

  it('does not try again what fails while it drains: the next consumer gets it', async () => {
    const { queue, clock, of } = setUp()
    const { promise, reject } = deferred()
    const consumer = queue.consume(() => promise)
    await queue.publish('x')
    await clock.settle()
    const closing = consumer.close()
    reject(new Error('interrupted'))
    await closing
    expect(of('retry')).toEqual([])
    expect((await queue.stats()).depth).toBe(1)
  })

  it('is closed by `await using`', async () => {
    const { queue, clock } = setUp()
    {
      await using _consumer = queue.consume(() => {})
      await clock.settle()
    }
    await queue.publish('x')
    await clock.settle()
    expect(await queue.stats()).toMatchObject({ depth: 1, held: 0 })
  })
})
