import { isHeadraceError } from '@headrace/core'
import { createQueue, type QueueDriver, type StandardSchema } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { held, outcome, setUp } from './set-up.ts'

const short: StandardSchema<string, string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'string' && value.length < 4
        ? { value: value.toUpperCase() }
        : { issues: [{ message: 'too long', path: ['order', { key: 'lines' }, 0] }, { message: 'also' }] },
  },
}

describe('publish', () => {
  it('refuses what the schema refuses, with the path of the issue', async () => {
    const { queue } = setUp({ schema: short })
    const error = await outcome(queue.publish('too long'))
    expect(isHeadraceError(error, 'REJECTED')).toBe(true)
    expect(String(error)).toContain('at "order.lines.0": too long (and 1 more)')
    expect((await queue.stats()).depth).toBe(0)
  })

  it('sends the body itself, and the handler receives what the schema makes of it', async () => {
    const { queue, driver, clock } = setUp({ schema: short })
    await queue.publish('abc')
    const raw = createQueue<string>(driver, 'orders', { clock })
    const seen: string[] = []
    raw.consume((message) => seen.push(message.body))
    await clock.settle()
    await raw.close()
    await queue.publish('def')
    queue.consume((message) => seen.push(message.body))
    await clock.settle()
    expect(seen).toEqual(['abc', 'DEF'])
  })

  it('takes a schema that answers later', async () => {
    const later: StandardSchema<string, string> = {
      '~standard': { ...short['~standard'], validate: async (value) => await short['~standard'].validate(value) },
    }
    const { queue, clock } = setUp({ schema: later })
    const seen: string[] = []
    queue.consume((message) => seen.push(message.body))
    await queue.publish('abc')
    expect(isHeadraceError(await outcome(queue.publish('too long')), 'REJECTED')).toBe(true)
    await queue.publishAll([{ body: 'def' }])
    await clock.settle()
    expect(seen.sort()).toEqual(['ABC', 'DEF'])
  })

  it.each([
    ['a body that JSON cannot say', () => setUp().queue.publish(undefined as never), 'body must be a JSON value'],
    ['an empty key', () => setUp().queue.publish('x', { key: '' }), 'key must not be empty'],
    [
      'an id that is too long',
      () => setUp().queue.publish('x', { id: 'i'.repeat(513) }),
      'id must be at most 512 bytes',
    ],
    ['a delay below 0', () => setUp().queue.publish('x', { delayMs: -1 }), 'delayMs must be from 0'],
    [
      'a header that is no string',
      () => setUp().queue.publish('x', { headers: { n: 1 as never } }),
      'header "n" must be',
    ],
    [
      'headers that are a list',
      () => setUp().queue.publish('x', { headers: [] as never }),
      'headers must be an object',
    ],
  ])('names the parameter for %s', async (_, publish, message) => {
    expect(String(await outcome(publish()))).toContain(message)
  })

  it('hazard 19: refuses a message that is too large, counting headers', async () => {
    const { queue } = setUp({ messageBytesMax: 10 })
    await queue.publish('12345678')
    expect(isHeadraceError(await outcome(queue.publish('123456789')), 'REJECTED')).toBe(true)
    expect(isHeadraceError(await outcome(queue.publish('1234567', { headers: { a: '1' } })), 'REJECTED')).toBe(true)
  })

  it('holds a message back for delayMs', async () => {
    const { queue, clock } = setUp()
    const seen: string[] = []
    queue.consume((message) => seen.push(message.body))
    await queue.publish('later', { delayMs: 60_000 })
    await clock.advance(59_999)
    expect(seen).toEqual([])
    expect(await queue.stats()).toMatchObject({ depth: 0, delayed: 1 })
    await clock.advance(1)
    expect(seen).toEqual(['later'])
  })

  it('is UNSUPPORTED where the driver cannot do it', async () => {
    const driver = memoryQueue()
    const plain = { ...driver, supports: { ...driver.supports, delay: false, depthMax: false } }
    expect(await outcome(createQueue(plain, 'q').publish('x', { delayMs: 1 }))).toMatchObject({ code: 'UNSUPPORTED' })
    expect(() => createQueue(plain, 'q', { depthMax: 10 })).toThrow('cannot bound the depth')
    await createQueue(plain, 'q').publish('x')
  })

  it('is REJECTED where the queue exists with other partitions', async () => {
    const { queue, driver } = setUp({ partitions: 2 })
    await queue.publish('a')
    const warnings: Error[] = []
    process.on('warning', (warning) => warnings.push(warning))
    const other = createQueue(driver, 'orders', { partitions: 4 })
    for (const error of [await outcome(other.publish('b')), await outcome(other.open())]) {
      expect(isHeadraceError(error, 'REJECTED')).toBe(true)
      expect(String(error)).toContain('partitions is 2, not 4')
    }
    await new Promise((resolve) => setImmediate(resolve))
    process.removeAllListeners('warning')
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('partitions is 2, not 4')])
  })

  it('declares again after a failure, and is UNAVAILABLE for that one', async () => {
    const { queue, driver, clock } = setUp()
    driver.disconnect(1_000)
    expect(await outcome(queue.publish('a'))).toMatchObject({ code: 'UNAVAILABLE' })
    expect(await outcome(queue.open())).toMatchObject({ code: 'UNAVAILABLE' })
    await clock.advance(1_000)
    await queue.open()
    await queue.publish('a')
    driver.disconnect(1_000)
    expect(await outcome(queue.publish('b'))).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('declares again what a driver has refused, or a consumer has lost: it may be gone', async () => {
    let declared = 0
    let refusals = 1
    const wrap = (driver: ReturnType<typeof memoryQueue>): QueueDriver => ({
      ...driver,
      declare(queue) {
        declared++
        return driver.declare(queue)
      },
      async publish(queue, messages) {
        if (refusals-- > 0) return messages.map(() => ({ type: 'refused', reason: 'no such queue' }))
        return await driver.publish(queue, messages)
      },
    })
    const { queue, driver, clock } = setUp({}, { wrap })
    expect(await outcome(queue.publish('a'))).toMatchObject({ code: 'REJECTED', message: /no such queue/ })
    await queue.publish('b')
    await queue.publish('c')
    expect(declared).toBe(2)
    queue.consume(() => {})
    await clock.settle()
    expect(declared).toBe(2)
    driver.disconnect()
    await clock.advance(10_000)
    expect(declared).toBe(3)
  })

  it('is CLOSED after close, which waits for what is under way', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({}, { wrap })
    const publishing = queue.publish('a')
    const closing = queue.close()
    await clock.settle()
    expect(await outcome(queue.publish('b'))).toMatchObject({ code: 'CLOSED' })
    expect(() => queue.consume(() => {})).toThrow('closed')
    calls[0]!.answer()
    await publishing
    await closing
    expect(clock.pending).toBe(0)
  })

  it('closes at the deadline of its publishes although the driver never answers', async () => {
    const { wrap } = held()
    const { queue, clock } = setUp({ publishMs: 500 }, { wrap })
    void outcome(queue.publish('a'))
    const closing = queue.close()
    await clock.advance(500)
    await closing
  })
})

describe('publishAll', () => {
  it('keeps the order of the list', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const seen: string[] = []
    queue.consume((message) => seen.push(message.body))
    const letters = [...'abcdefghij']
    await queue.publishAll(letters.map((body) => ({ body, key: 'k' })))
    await clock.settle()
    expect(seen).toEqual(letters)
  })

  it('sends nothing when one is refused or not all fit', async () => {
    const { queue } = setUp({ windowMax: 2, messageBytesMax: 5 })
    const all = (...list: string[]) => outcome(queue.publishAll(list.map((body) => ({ body }))))
    expect(await all('a', 'too long')).toMatchObject({ code: 'REJECTED' })
    expect(String(await all('a', 'b', 'c'))).toContain('messages must be at most windowMax, 2')
    expect((await queue.stats()).depth).toBe(0)
    const stopped = outcome(queue.publishAll([{ body: 'a' }], { signal: AbortSignal.abort('enough') }))
    expect(await stopped).toMatchObject({ code: 'ABORTED', cause: 'enough' })
    await queue.publishAll([])
    const { wrap } = held()
    const busy = setUp({ windowMax: 2 }, { wrap })
    void busy.queue.publish('a')
    expect(await outcome(busy.queue.publishAll([{ body: 'b' }, { body: 'c' }]))).toMatchObject({ code: 'BUSY' })
    expect((await busy.queue.stats()).unconfirmed).toBe(1)
  })

  it('tells how many failed, with the code of the first and all errors', async () => {
    const { queue } = setUp({ depthMax: 1 })
    const error = await outcome(queue.publishAll([{ body: 'a' }, { body: 'b' }, { body: 'c' }]))
    expect(isHeadraceError(error, 'BUSY')).toBe(true)
    expect(String(error)).toContain('2 of 3 messages')
    expect(((error as Error).cause as AggregateError).errors).toHaveLength(2)
  })
})
