import { isHeadraceError } from '@headrace/core'
import { createQueue, reject } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { describe, expect, it } from 'vitest'
import { deferred, outcome, setUp } from './set-up.ts'

describe('a request', () => {
  it('resolves with what the handler returned, also later, and also nothing', async () => {
    const { clock, queue } = setUp()
    queue.consume(({ body }) => {
      if (body === 'nothing') return undefined
      return body === 'later' ? clock.sleep(50).then(() => ['later']) : { echo: body }
    })
    const answers = Promise.all(['now', 'later', 'nothing'].map((body) => queue.request(body)))
    await clock.advance(100)
    expect(await answers).toEqual([{ echo: 'now' }, ['later'], undefined])
  })

  it('is a message like any other: in order in its key, with its id and headers, and none of ours', async () => {
    const { clock, queue } = setUp()
    const seen: unknown[] = []
    queue.consume(({ id, key, body, headers }) => seen.push([id, key, body, headers]))
    const published = queue.publish('first', { key: 'k' })
    const answer = queue.request('second', { key: 'k', id: 'mine', headers: { a: 'b' } })
    await clock.settle()
    await Promise.all([published, answer])
    expect(seen).toMatchObject([expect.anything(), ['mine', 'k', 'second', { a: 'b' }]])
    expect(Object.keys((seen[1] as [0, 0, 0, object])[3])).toEqual(['a'])
  })

  it('is answered by the attempt that succeeds', async () => {
    const { clock, queue } = setUp()
    queue.consume(({ attempt }) => {
      if (attempt < 3) throw new Error('not yet')
      return attempt
    })
    const answer = queue.request('a')
    await clock.advance(5_000)
    expect(await answer).toBe(3)
  })

  it('is REJECTED, with why, when its message goes to the dead letters', async () => {
    const { clock, queue } = setUp({ retry: { attempts: 2 } })
    queue.consume(({ body }) => {
      throw body === 'bad' ? reject('no such order') : new Error('always')
    })
    const answers = ['bad', 'failing'].map((body) => outcome(queue.request(body, { id: body })))
    await clock.advance(5_000)
    expect(await Promise.all(answers)).toMatchObject([
      { code: 'REJECTED', message: 'request "bad" was given up (rejected): HeadraceError: no such order' },
      { code: 'REJECTED', message: 'request "failing" was given up (exhausted): Error: always' },
    ])
  })

  it('is TIMEOUT when there is no answer in time, and then leaves nothing behind', async () => {
    const { clock, queue } = setUp()
    const answer = outcome(queue.request('a', { id: 'mine', timeoutMs: 500 }))
    await clock.advance(500)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', message: 'request "mine" gave no answer within 500 ms' })
    // The answer that comes now is for nobody.
    queue.consume(() => 'late')
    await clock.settle()
    await queue.close()
    expect(clock.pending).toBe(0)
  })

  it('is ABORTED in the turn in which its signal fires', async () => {
    const { clock, queue } = setUp()
    const stop = new AbortController()
    const answer = outcome(queue.request('a', { signal: stop.signal }))
    await clock.settle()
    stop.abort('no longer')
    expect(await answer).toMatchObject({ code: 'ABORTED', cause: 'no longer' })
    expect(await outcome(queue.request('a', { signal: stop.signal }))).toMatchObject({ code: 'ABORTED' })
  })

  it('is BUSY at once when too many have no answer yet', async () => {
    const { clock, queue } = setUp({ requestsMax: 2 })
    const first = [outcome(queue.request('a', { timeoutMs: 100 })), outcome(queue.request('b', { timeoutMs: 100 }))]
    expect(await outcome(queue.request('c'))).toMatchObject({ code: 'BUSY' })
    await clock.advance(100)
    await Promise.all(first)
    const answer = queue.request('d')
    queue.consume(() => 'there is room again')
    await clock.settle()
    expect(await answer).toBe('there is room again')
  })

  it('is TIMEOUT when the way back breaks, and is answered when it is made again under the same id', async () => {
    const { clock, driver, queue } = setUp()
    const slow = deferred<string>()
    const ids: string[] = []
    queue.consume(({ id }) => {
      ids.push(id)
      return ids.length === 1 ? slow.promise : 'again'
    })
    const first = outcome(queue.request('a', { id: 'mine' }))
    await clock.settle()
    driver.disconnect()
    expect(await first).toMatchObject({ code: 'TIMEOUT' })
    slow.resolve('too late')
    const second = queue.request('a', { id: 'mine' })
    await clock.advance(1_000)
    expect(await second).toBe('again')
    expect(new Set(ids)).toEqual(new Set(['mine']))
  })

  it('is answered by the next process when the first one died over it', async () => {
    const { clock, driver, queue } = setUp()
    let dead = false
    queue.consume(() => (dead ? 'by the second' : new Promise(() => {})))
    const answer = queue.request('a')
    await clock.settle()
    dead = true
    driver.crashConsumers()
    queue.consume(() => 'by the second')
    await clock.advance(6_000)
    expect(await answer).toBe('by the second')
  })

  it('is CLOSED when its queue is closed, and refused afterwards', async () => {
    const { clock, queue } = setUp()
    const answer = outcome(queue.request('a'))
    await clock.settle()
    await queue.close()
    expect(await answer).toMatchObject({ code: 'CLOSED' })
    expect(await outcome(queue.request('a'))).toMatchObject({ code: 'CLOSED' })
    expect(clock.pending).toBe(0)
  })

  it('tells of an answer that is not JSON, and its message is done', async () => {
    const { clock, queue } = setUp()
    queue.consume(() => 1n)
    const answer = outcome(queue.request('a', { id: 'mine' }))
    await clock.settle()
    expect(await answer).toMatchObject({
      code: 'REJECTED',
      message: expect.stringContaining('request "mine" was handled, but its answer cannot be sent: TypeError'),
    })
    expect((await queue.stats()).dead).toBe(0)
  })

  it('tells of an answer that is larger than a message may be', async () => {
    const { clock, queue } = setUp({ messageBytesMax: 1_000 })
    queue.consume(() => 'x'.repeat(1_000))
    const answer = outcome(queue.request('a'))
    await clock.settle()
    expect(await answer).toMatchObject({
      code: 'REJECTED',
      message: expect.stringContaining('it has 1012 bytes, more than 1000'),
    })
  })

  it('is CLOSED also while the box for its answer is being opened', async () => {
    const { clock, queue } = setUp(
      {},
      { wrap: (driver) => ({ ...driver, replies: { ...driver.replies!, open: () => new Promise(() => {}) } }) },
    )
    const answer = outcome(queue.request('a'))
    const closed = queue.close()
    expect(await answer).toMatchObject({ code: 'CLOSED' })
    await clock.advance(10_000)
    await closed
  })

  it('has the errors of publishing, and of options that are wrong', async () => {
    const { clock, queue } = setUp({ depthMax: 1, partitions: 1 })
    await queue.publish('full')
    expect(await outcome(queue.request('a'))).toMatchObject({ code: 'BUSY' })
    expect(await outcome(queue.request('a', { timeoutMs: 0 }))).toBeInstanceOf(RangeError)
    expect(await outcome(queue.request('a', { key: '' }))).toBeInstanceOf(RangeError)
    expect(() => setUp({ requestsMax: 0 })).toThrow('requestsMax')
    expect(clock.pending).toBe(0)
  })

  it('is UNSUPPORTED where the driver has no way back', async () => {
    const { replies: _, ...driver } = memoryQueue()
    const queue = createQueue<string>(driver, 'orders')
    expect(await outcome(queue.request('a'))).toMatchObject({ code: 'UNSUPPORTED' })
  })

  it('gives up a driver that hangs over the box, and closes a box that comes too late', async () => {
    const opening = deferred()
    const closed: string[] = []
    const { clock, queue } = setUp(
      {},
      {
        wrap: (driver) => ({
          ...driver,
          replies: {
            ...driver.replies!,
            async open() {
              await opening.promise
              return { address: 'late', close: async () => void closed.push('late') }
            },
          },
        }),
      },
    )
    const answer = outcome(queue.request('a', { timeoutMs: 30_000 }))
    await clock.advance(10_000)
    expect(await answer).toMatchObject({
      code: 'TIMEOUT',
      message: 'opening a box for answers gave no answer within 10000 ms',
    })
    opening.resolve()
    await clock.settle()
    expect(closed).toEqual(['late'])
  })
})

it('each request of a batch has its own answer', async () => {
  const { clock, queue } = setUp()
  queue.consumeBatch((messages) =>
    messages.map(({ body, attempt }) =>
      body === 'b' && attempt === 1
        ? { status: 'rejected' as const, reason: new Error('later') }
        : { status: 'fulfilled' as const, value: `${body}${attempt}` },
    ),
  )
  const answers = Promise.all(['a', 'b', 'c'].map((body) => queue.request(body)))
  await clock.advance(1_000)
  expect(await answers).toEqual(['a1', 'b2', 'c1'])
})

it('requests are answered on SQLite, within the process', async () => {
  const driver = sqliteQueue(':memory:')
  const queue = createQueue<number>(driver, 'squares')
  queue.consume(({ body }) => body * body)
  expect(await Promise.all([1, 2, 3].map((body) => queue.request<number>(body)))).toEqual([1, 4, 9])
  const left = outcome(createQueue<number>(driver, 'nobody').request(1))
  while ((await queue.stats()).held > 0) await new Promise(setImmediate)
  await new Promise((resolve) => setTimeout(resolve, 20))
  await queue.close()
  await driver.close()
  expect(isHeadraceError(await left, 'TIMEOUT')).toBe(true)
})
