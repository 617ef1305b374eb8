import { manualClock } from '@headrace/core/testing'
import { queueConformance } from '@headrace/queue/conformance'
import { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { memorySubject } from './memory-subject.ts'
import { outcome, setUp } from './set-up.ts'

describe('the memory driver', () => {
  queueConformance({
    test: it,
    create: () => memorySubject((clock) => memoryQueue({ clock })),
    supports: memoryQueue({ clock: manualClock() }).supports,
  })
})

it('the memory driver says after close that what is published was not sent', async () => {
  const driver = memoryQueue()
  await driver.declare({ name: 'q', partitions: 1, depthMax: 10 })
  await driver.close()
  const message = { id: 'a', key: undefined, partition: 0, payload: '1', headers: {}, publishedAtMs: 0, delayMs: 0 }
  expect(await driver.publish('q', [message])).toMatchObject([{ type: 'unsent', cause: { message: /disconnected/ } }])
})

describe('the faults of the memory driver', () => {
  const publish = (queue: ReturnType<typeof setUp>['queue'], letters: string, key: (letter: string) => string) =>
    queue.publishAll([...letters].map((body) => ({ body, id: body, key: key(body) })))

  it('duplicate delivers a message twice in a row, and settling one settles both', async () => {
    const { queue, clock } = setUp({ partitions: 1 }, { faults: { duplicate: 1 } })
    const seen: string[] = []
    queue.consume((message) => seen.push(message.body))
    await publish(queue, 'abc', () => 'k')
    await clock.settle()
    expect(seen.join('')).toBe('aabbcc')
    expect((await queue.stats()).depth).toBe(0)
  })

  it('reorder lets a message pass one of another key, never one of its own', async () => {
    const { queue, clock } = setUp({ partitions: 1 }, { faults: { reorder: 1 } })
    const seen: string[] = []
    await publish(queue, 'abc', (letter) => letter)
    queue.consume((message) => seen.push(message.body), { concurrency: 1 })
    await clock.settle()
    expect(seen.join('')).toBe('bca')
    await publish(queue, 'def', () => 'k')
    await clock.settle()
    expect(seen.join('')).toBe('bcadef')
  })

  it('loseConfirm stores the message and says TIMEOUT', async () => {
    const { queue } = setUp({}, { faults: { loseConfirm: 1 } })
    expect(await outcome(queue.publish('a'))).toMatchObject({ code: 'TIMEOUT' })
    expect((await queue.stats()).depth).toBe(1)
  })

  it('crashConsumers takes the messages away without a word to the handler', async () => {
    const { queue, driver, clock, of } = setUp()
    const aborted: boolean[] = []
    queue.consume(async (_, { signal }) => {
      await clock.sleep(1_000)
      aborted.push(signal.aborted)
    })
    await queue.publish('a')
    await clock.settle()
    driver.crashConsumers()
    await clock.advance(1_000)
    expect(aborted).toEqual([false])
    expect(of('lost')).toEqual([])
    expect(await queue.stats()).toMatchObject({ depth: 1, held: 0 })
  })

  it('are shares from 0 to 1', () => {
    expect(() => memoryQueue({ faults: { duplicate: 2 } })).toThrow('faults.duplicate must be from 0 to 1')
    expect(() => memoryQueue().disconnect(-1)).toThrow('forMs')
  })
})
