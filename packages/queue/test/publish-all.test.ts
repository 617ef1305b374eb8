import { isHeadraceError, randomBelow, seededRandom } from '@headrace/core'
import type { PublishOutcome, QueueMessage } from '@headrace/queue'
import type { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { held, outcome, setUp } from './set-up.ts'

const bodies = (count: number) => Array.from({ length: count }, (_, at) => ({ body: `${at}`, id: `${at}`, key: 'a' }))
const alone = (driver: ReturnType<typeof memoryQueue>) => ({
  ...driver,
  supports: { ...driver.supports, prefix: false },
})

describe('messages that are published together', () => {
  it('go as one, in their order, behind what was published before', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    const all = [queue.publish('first', { id: 'first' }), queue.publishAll(bodies(300))]
    await clock.settle()
    expect(calls.map(({ messages }) => messages.length)).toEqual([301])
    expect(calls[0]!.messages.map(({ id }) => id).slice(0, 3)).toEqual(['first', '0', '1'])
    calls[0]!.answer()
    await Promise.all(all)
  })

  it('that are too many for that go in turn, each when those before it are stored, and others beside them', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    const all = [queue.publishAll(bodies(700))]
    await clock.settle()
    const sizes = () => calls.map(({ messages }) => messages.length)
    expect(sizes()).toEqual([500])
    calls[0]!.answer()
    await clock.settle()
    all.push(queue.publish('x'))
    await clock.settle()
    expect(sizes()).toEqual([500, 200, 1])
    calls[1]!.answer()
    calls[2]!.answer()
    await Promise.all(all)
  })

  it('are not sent behind one that was not stored, and say so', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    const publishing = outcome(queue.publishAll(bodies(700)))
    await clock.settle()
    calls[0]!.answer('unsent')
    const error = await publishing
    expect(isHeadraceError(error, 'UNAVAILABLE')).toBe(true)
    expect(String(error)).toContain('700 of 700 messages were not confirmed')
    const { errors } = (error as Error).cause as AggregateError
    expect(String(errors[600])).toContain('message "600" to queue "orders" was not sent: one before it was not stored')
    await clock.settle()
    expect(calls).toHaveLength(1)
    expect((await queue.stats()).unconfirmed).toBe(0)
  })

  it('of other partitions go on', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 2 }, { wrap })
    const publishing = outcome(queue.publishAll(Array.from({ length: 1_200 }, (_, at) => ({ body: `${at}` }))))
    await clock.settle()
    calls[0]!.answer('unsent')
    calls[1]!.answer()
    await clock.settle()
    expect(calls.map(({ messages }) => messages.length)).toEqual([500, 500, 100])
    calls[2]!.answer()
    expect(String(await publishing)).toContain('600 of 1200 messages were not confirmed')
  })

  it('go one by one where the driver may store one behind another that it refuses', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap: (driver) => wrap(alone(driver)) })
    const publishing = queue.publishAll(bodies(3))
    for (let sent = 1; sent <= 3; sent++) {
      await clock.settle()
      expect(calls.map(({ messages }) => messages.length)).toEqual(Array.from({ length: sent }, () => 1))
      calls[sent - 1]!.answer()
    }
    await publishing
  })

  it('and were given up while they waited for their turn leave the window', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    const stop = new AbortController()
    const publishing = outcome(queue.publishAll(bodies(700), { signal: stop.signal }))
    await clock.settle()
    stop.abort()
    expect(isHeadraceError(await publishing, 'ABORTED')).toBe(true)
    expect((await queue.stats()).unconfirmed).toBe(500)
    calls[0]!.answer()
    await clock.settle()
    expect((await queue.stats()).unconfirmed).toBe(0)
    expect(calls).toHaveLength(1)
  })
})

it.each(Array.from({ length: 40 }, (_, at) => at + 1))(
  'published again until all are stored, first appearances are in the order of each key, seed %i',
  async (seed) => {
    const random = seededRandom(seed)
    const stored: string[] = []
    let trouble = 0.6
    const wrap = (driver: ReturnType<typeof memoryQueue>) => ({
      ...driver,
      async publish(_: string, messages: readonly QueueMessage[]): Promise<PublishOutcome[]> {
        const isFine = random.next() > trouble
        const kept = isFine ? messages.length : randomBelow(random, messages.length + 1)
        for (const { key, id } of messages.slice(0, kept)) stored.push(`${key} ${id}`)
        await clock.sleep(randomBelow(random, 20))
        const type = (['full', 'unsent', 'unknown'] as const)[randomBelow(random, 3)]!
        const failed = { type, cause: new Error('trouble') } as PublishOutcome
        // Of what is unknown some is stored.
        return messages.map((_, at) =>
          isFine || (at < kept && type !== 'unknown') ? { type: 'stored' as const } : failed,
        )
      },
    })
    const { queue, clock } = setUp({ partitions: 2, publishMs: 30 }, { wrap })
    const wanted = Array.from({ length: 1_500 }, (_, at) => ({
      body: 'x',
      id: String(at).padStart(4, '0'),
      key: `k${randomBelow(random, 5)}`,
    }))
    let isDone = false
    const publishing = (async () => {
      for (;;) {
        try {
          return await queue.publishAll(wanted)
        } catch {
          trouble *= 0.8
        }
      }
    })().then(() => {
      isDone = true
    })
    while (!isDone) {
      void queue.publish('beside').catch(() => {})
      await clock.advance(5)
    }
    await publishing
    for (const key of new Set(wanted.map((it) => it.key))) {
      const first = [...new Set(stored.filter((it) => it.startsWith(`${key} `)))]
      expect(first).toEqual(wanted.filter((it) => it.key === key).map(({ id }) => `${key} ${id}`))
    }
  },
)
