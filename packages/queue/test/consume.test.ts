import { isHeadraceError } from '@headrace/core'
import type { StandardSchema } from '@headrace/queue'
import type { MemoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { deferred, keyed, setUp } from './set-up.ts'

describe('consume', () => {
  it('runs at most `concurrency` handlers, and one for a key', async () => {
    const { queue, clock } = setUp()
    const running = new Map<string, () => void>()
    queue.consume(
      ({ body }) => {
        const { promise, resolve } = deferred()
        running.set(body, resolve)
        return promise.then(() => running.delete(body))
      },
      { concurrency: 2 },
    )
    await queue.publishAll(keyed('a1', 'a2', 'b1', 'c1'))
    await clock.settle()
    const first = [...running.keys()].sort()
    expect(first).toHaveLength(2)
    expect(new Set(first.map((body) => body[0])).size).toBe(2)
    while (running.size > 0) {
      running.values().next().value!()
      await clock.settle()
      const now = [...running.keys()].map((body) => body[0])
      expect(new Set(now).size).toBe(now.length)
      expect(now.length).toBeLessThanOrEqual(2)
    }
    expect((await queue.stats()).depth).toBe(0)
  })

  it('runs messages without a key beside each other', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    let running = 0
    queue.consume(() => {
      running++
      return new Promise(() => {})
    })
    await queue.publishAll([{ body: 'a' }, { body: 'b' }, { body: 'c' }])
    await clock.settle()
    expect(running).toBe(3)
  })

  it('runs any number of messages whose handler answers at once', async () => {
    const { queue, clock } = setUp({ partitions: 1, windowMax: 20_000 })
    let handled = 0
    await queue.publishAll(Array.from({ length: 20_000 }, () => ({ body: 'x' })))
    queue.consume(() => handled++, { prefetch: 20_000 })
    await clock.settle()
    expect(handled).toBe(20_000)
    expect((await queue.stats()).depth).toBe(0)
  })

  it('holds at most `prefetch` messages of a partition', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const consumer = queue.consume(() => new Promise(() => {}), { prefetch: 3, concurrency: 1 })
    await queue.publishAll(keyed('a', 'b', 'c', 'd', 'e'))
    await clock.settle()
    expect(consumer.stats()).toMatchObject({ running: 1, held: 3, oldestAtMs: clock.wallMs() })
    expect(await queue.stats()).toMatchObject({ depth: 5, held: 3 })
  })

  it('consumes the partitions it is told to', async () => {
    const { queue, clock } = setUp({ partitions: 2 })
    const seen: string[] = []
    queue.consume((message) => seen.push(message.body), { partitions: [1] })
    await queue.publishAll([{ body: 'p0' }, { body: 'p1' }, { body: 'p0' }, { body: 'p1' }])
    await clock.settle()
    expect(seen).toEqual(['p1', 'p1'])
  })

  it('aborts a handler after handlerMs, and tries again when it has stopped', async () => {
    const { queue, clock, of } = setUp()
    const reasons: unknown[] = []
    let calls = 0
    queue.consume(
      (_, { signal }) => {
        if (++calls > 1) return undefined
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reasons.push(signal.reason)
            reject(new Error('stopped'))
          })
        })
      },
      { handlerMs: 1_000 },
    )
    await queue.publish('x')
    await clock.advance(999)
    expect(reasons).toEqual([])
    await clock.advance(1)
    expect(isHeadraceError(reasons[0], 'TIMEOUT')).toBe(true)
    await clock.advance(10_000)
    expect(calls).toBe(2)
    expect(of('retry')).toHaveLength(1)
    expect(of('abandoned')).toEqual([])
  })

  it('accepts the success of a handler that ends after its signal', async () => {
    const { queue, clock, of } = setUp()
    queue.consume(() => clock.sleep(1_500), { handlerMs: 1_000 })
    await queue.publish('x')
    await clock.advance(60_000)
    expect(of('retry')).toEqual([])
    expect((await queue.stats()).depth).toBe(0)
  })

  it('gives a handler up that ignores its signal: its key waits for graceMs and then goes on', async () => {
    const { queue, clock, of } = setUp({ retry: { attempts: 1 } })
    const seen: string[] = []
    queue.consume(
      ({ body }) => {
        seen.push(body)
        return body === 'k1' ? new Promise(() => {}) : undefined
      },
      { handlerMs: 1_000, graceMs: 500 },
    )
    await queue.publishAll([
      { body: 'k1', key: 'k', id: 'one' },
      { body: 'k2', key: 'k' },
    ])
    await clock.advance(1_499)
    expect(seen).toEqual(['k1'])
    await clock.advance(1)
    expect(seen).toEqual(['k1', 'k2'])
    expect(of('abandoned')).toEqual([{ type: 'abandoned', queue: 'orders', ids: ['one'] }])
    expect(await queue.deadLetters.list()).toMatchObject([{ id: 'one', reason: 'exhausted' }])
  })

  it('does not count the late end of a handler that was given up', async () => {
    const { queue, clock, of } = setUp({ partitions: 1, retry: { delayMinMs: 0, delayMaxMs: 0 } })
    const ends: (() => void)[] = []
    queue.consume(
      () => {
        const { promise, resolve } = deferred()
        ends.push(resolve)
        return promise
      },
      { handlerMs: 1_000, graceMs: 500 },
    )
    await queue.publishAll(keyed('k1', 'k2'))
    await clock.advance(1_600)
    expect(ends).toHaveLength(2)
    ends[0]!()
    await clock.settle()
    expect(ends).toHaveLength(2)
    expect((await queue.stats()).depth).toBe(2)
    ends[1]!()
    await clock.settle()
    expect(ends).toHaveLength(3)
    expect((await queue.stats()).depth).toBe(1)
    expect(of('retry')).toHaveLength(1)
  })

  it('does not call the handler for a message whose schema takes longer than handlerMs and graceMs', async () => {
    const { promise, resolve } = deferred()
    const slow: StandardSchema<string, string> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => promise.then(() => ({ value: value as string })),
      },
    }
    const { queue, driver, clock, of } = setUp({ schema: slow, retry: { attempts: 1 } })
    await queue.open()
    await driver.publish('orders', [
      { id: 'x', key: 'k', partition: 0, payload: '"x"', headers: {}, publishedAtMs: 0, delayMs: 0 },
    ])
    let called = 0
    queue.consume(() => called++)
    await clock.advance(35_000)
    expect(of('abandoned')).toHaveLength(1)
    resolve()
    await clock.settle()
    expect(called).toBe(0)
    expect(await queue.deadLetters.list()).toMatchObject([{ id: 'x', reason: 'exhausted' }])
  })

  it('does not try a message again that failed because it was lost: it comes by itself', async () => {
    const { queue, driver, clock, of } = setUp()
    let calls = 0
    queue.consume((_, { signal }) => {
      if (++calls > 1) return undefined
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    await queue.publish('x')
    await clock.settle()
    driver.disconnect()
    await clock.advance(10_000)
    expect(calls).toBe(2)
    expect(of('retry')).toEqual([])
  })

  it('sends what the schema refuses, or JSON, to the dead letters without a handler', async () => {
    const never: StandardSchema<string, string> = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) },
    }
    const { queue, driver, clock } = setUp()
    await queue.publish('fine', { id: 'refused' })
    const strict = setUp({ schema: never }, { wrap: () => driver })
    let called = 0
    strict.queue.consume(() => called++)
    await driver.publish('orders', [
      { id: 'broken', key: 'k', partition: 0, payload: '{', headers: {}, publishedAtMs: 0, delayMs: 0 },
    ])
    await clock.settle()
    const dead = await queue.deadLetters.list()
    expect(called).toBe(0)
    expect(dead.map(({ id, reason, body }) => ({ id, reason, body }))).toEqual([
      { id: 'refused', reason: 'invalid', body: 'fine' },
      { id: 'broken', reason: 'invalid', body: undefined },
    ])
  })

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

  it('takes nothing from a subscription that has ended', async () => {
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

  it('closes within its limits although the backend hangs', async () => {
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

  it.each([
    [{ concurrency: 0 }, 'concurrency'],
    [{ prefetch: 70_000 }, 'prefetch'],
    [{ handlerMs: 0 }, 'handlerMs'],
    [{ graceMs: -1 }, 'graceMs'],
    [{ drainMs: Number.POSITIVE_INFINITY }, 'drainMs'],
    [{ redeliveriesMax: 0 }, 'redeliveriesMax'],
    [{ partitions: [8] }, 'a partition'],
    [{ partitions: [1, 1] }, 'partitions'],
    [{ partitions: [] }, 'partitions'],
  ])('names the option that is wrong in %j', (options, name) => {
    expect(() => setUp().queue.consume(() => {}, options)).toThrow(name)
    expect(() => setUp().queue.consume(null as never)).toThrow('handler')
  })
})
