import { isHeadraceError } from '@headrace/core'
import { type Message, reject } from '@headrace/queue'
import { describe, expect, it } from 'vitest'
import { bodies, setUp } from './set-up.ts'

describe('a queue', () => {
  it('hands a message to the handler as it was published', async () => {
    const { clock, queue } = setUp()
    const seen: Message<string>[] = []
    queue.consume((message) => seen.push(message))
    await queue.publish('hello', { key: 'k', id: 'one', headers: { trace: 'abc' } })
    await clock.settle()
    expect(seen).toEqual([
      { id: 'one', key: 'k', body: 'hello', headers: { trace: 'abc' }, attempt: 1, publishedAtMs: clock.wallMs() },
    ])
    expect(await queue.stats()).toMatchObject({ depth: 0, unconfirmed: 0, oldestAgeMs: undefined })
  })

  it('keeps the order of a key through a retry while other keys flow', async () => {
    const { clock, queue, of } = setUp({ partitions: 1 })
    const done: string[] = []
    let failures = 2
    queue.consume((message) => {
      if (message.body === 'a1' && failures-- > 0) throw new Error('not yet')
      done.push(message.body)
    })
    for (const body of ['a1', 'a2', 'b1', 'b2']) await queue.publish(body, { key: body[0] })
    await clock.settle()
    expect(done).toEqual(['b1', 'b2'])
    await clock.advance(10_000)
    expect(done).toEqual(['b1', 'b2', 'a1', 'a2'])
    expect(of('retry')).toHaveLength(2)
  })

  it('sends a rejected message to the dead letters at once', async () => {
    const { clock, queue, of } = setUp()
    queue.consume(() => {
      throw reject('no such order')
    })
    await queue.publish('x', { id: 'bad', key: 'k' })
    await clock.settle()
    expect(await queue.deadLetters.list()).toMatchObject([
      { id: 'bad', key: 'k', body: 'x', reason: 'rejected', attempts: 1 },
    ])
    expect(of('dead-letter')).toMatchObject([{ id: 'bad', reason: 'rejected' }])
    expect(of('retry')).toEqual([])
  })

  it('gives up after the attempts and goes on with the next message of the key', async () => {
    const { clock, queue } = setUp({ retry: { attempts: 3 } })
    let calls = 0
    const done: string[] = []
    queue.consume((message) => {
      if (message.body === 'bad') {
        calls++
        throw new Error('broken')
      }
      done.push(message.body)
    })
    await queue.publishAll([
      { body: 'bad', key: 'k' },
      { body: 'good', key: 'k' },
    ])
    await clock.advance(60_000)
    expect(calls).toBe(3)
    expect(done).toEqual(['good'])
    expect(await queue.deadLetters.list()).toMatchObject([{ reason: 'exhausted', attempts: 3, error: 'Error: broken' }])
  })

  it('hazard 30: drains: a running handler ends, what was not begun goes to the next consumer', async () => {
    const { clock, queue } = setUp({ partitions: 1 })
    let release = () => {}
    const first = queue.consume(() => new Promise<void>((resolve) => (release = resolve)), { concurrency: 1 })
    await queue.publishAll([
      { body: 'a', key: 'k' },
      { body: 'b', key: 'k' },
    ])
    await clock.settle()
    const closing = first.close()
    await clock.settle()
    release()
    expect(await closing).toEqual({ abandoned: 0 })
    const rest: Message<string>[] = []
    queue.consume((message) => rest.push(message))
    await clock.settle()
    expect(bodies(rest)).toEqual(['b'])
    await queue.close()
    expect(clock.pending).toBe(0)
  })

  it('hazard 30: closes at its deadline although a handler hangs, and aborts it', async () => {
    const { clock, queue, of } = setUp()
    const signals: AbortSignal[] = []
    const consumer = queue.consume((_, { signal }) => {
      signals.push(signal)
      return new Promise(() => {})
    })
    await queue.publish('x')
    await clock.settle()
    const closing = consumer.close()
    await clock.advance(9_999)
    expect(signals[0]!.aborted).toBe(false)
    await clock.advance(1)
    expect(await closing).toEqual({ abandoned: 1 })
    expect(isHeadraceError(signals[0]!.reason, 'CLOSED')).toBe(true)
    expect(of('abandoned')).toHaveLength(1)
    expect((await queue.stats()).depth).toBe(1)
  })
})
