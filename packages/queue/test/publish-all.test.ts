import { isHeadraceError } from '@headrace/core'
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
