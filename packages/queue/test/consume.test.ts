import { isHeadraceError } from '@headrace/core'
import type { StandardSchema } from '@headrace/queue'
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

  it('hazard 15: gives a handler up that ignores its signal: its key waits for graceMs and then goes on', async () => {
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

  it('hazard 34: does not count the late end of a handler that was given up', async () => {
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

  it('hazard 15: sends what the schema refuses, or JSON, to the dead letters without a handler', async () => {
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
