import { isHeadraceError, partitionOf } from '@headrace/core'
import type { PublishOutcome } from '@headrace/queue'
import type { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { deferred, held, outcome, setUp } from './set-up.ts'

describe('a message on its way', () => {
  it('is BUSY at once when the window is full, and free again when messages are confirmed', async () => {
    const { calls, wrap } = held()
    const { queue, clock, of } = setUp({ windowMax: 2, partitions: 1 }, { wrap })
    const first = [queue.publish('a'), queue.publish('b')]
    const error = await outcome(queue.publish('c'))
    expect(isHeadraceError(error, 'BUSY')).toBe(true)
    expect(String(error)).toContain('its window is full')
    expect(of('busy')).toEqual([{ type: 'busy', queue: 'orders', full: 'window' }])
    await clock.settle()
    calls[0]!.answer()
    await Promise.all(first)
    const again = queue.publish('d')
    await clock.settle()
    calls[1]!.answer()
    await again
    expect((await queue.stats()).unconfirmed).toBe(0)
  })

  it('is BUSY at once when the window is full by bytes', async () => {
    const { wrap } = held()
    const { queue, of } = setUp({ windowBytesMax: 10 }, { wrap })
    void queue.publish('12345')
    expect(isHeadraceError(await outcome(queue.publish('1234')), 'BUSY')).toBe(true)
    expect(of('busy')).toMatchObject([{ full: 'bytes' }])
  })

  it('is BUSY when the queue holds depthMax messages', async () => {
    const { queue, of } = setUp({ depthMax: 1 })
    await queue.publish('a')
    const error = await outcome(queue.publish('b'))
    expect(isHeadraceError(error, 'BUSY')).toBe(true)
    expect(String(error)).toContain('queue "orders" is full')
    expect(of('busy')).toMatchObject([{ full: 'depth' }])
  })

  it('says TIMEOUT with the id when no confirmation comes, and keeps its place in the window until one does', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ windowMax: 1, publishMs: 1_000 }, { wrap })
    const publishing = outcome(queue.publish('a', { id: 'order-7' }))
    await clock.advance(1_000)
    const error = await publishing
    expect(isHeadraceError(error, 'TIMEOUT')).toBe(true)
    expect(String(error)).toContain('"order-7"')
    expect(isHeadraceError(await outcome(queue.publish('b')), 'BUSY')).toBe(true)
    calls[0]!.answer()
    await clock.settle()
    void queue.publish('c')
    await clock.settle()
    expect(calls).toHaveLength(2)
  })

  it('says UNAVAILABLE, not TIMEOUT, while the queue cannot be declared: nothing was sent', async () => {
    const wrap = (driver: ReturnType<typeof memoryQueue>) => ({
      ...driver,
      declare: () => new Promise<never>(() => {}),
    })
    const { queue, clock } = setUp({ callMs: 500 }, { wrap })
    const publishing = outcome(queue.publish('a'))
    await clock.advance(500)
    expect(await publishing).toMatchObject({ code: 'UNAVAILABLE', cause: { code: 'TIMEOUT' } })
  })

  it('goes on publishing while a batch is never answered', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ publishMs: 1_000 }, { wrap })
    const hanging = ['a', 'b', 'c', 'd'].map(async (body) => await outcome(queue.publish(body)))
    for (let turn = 0; turn < 4; turn++) await clock.settle()
    await clock.advance(1_000)
    await Promise.all(hanging)
    const later = queue.publish('later')
    await clock.settle()
    calls.at(-1)!.answer()
    await later
  })

  it('does not hold up a partition while another is not answered', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 2 }, { wrap })
    const partitionOfCall = (at: number) => calls[at]!.messages[0]!.partition
    void outcome(queue.publish('first', { key: 'a' }))
    await clock.settle()
    const silent = partitionOfCall(0)
    for (let batch = 1; batch < 6; batch++) {
      void outcome(queue.publish('x', { key: 'a' }))
      await clock.settle()
    }
    expect(calls).toHaveLength(4)
    const other = ['b', 'c', 'd', 'e'].find((key) => partitionOf(key, 2) !== silent)
    const publishing = queue.publish('y', { key: other })
    await clock.settle()
    calls[4]!.answer()
    await publishing
  })

  it('sends many that wait in two batches, one to be made while the other travels', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    const sizes = () => calls.map((call) => call.messages.length)
    const publish = (count: number) => Array.from({ length: count }, () => queue.publish('x'))
    const all = publish(200)
    await clock.settle()
    expect(sizes()).toEqual([100, 100])
    calls[0]!.answer()
    await clock.settle()
    all.push(...publish(100))
    await clock.settle()
    expect(sizes()).toEqual([100, 100, 100])
    all.push(...publish(10))
    await clock.settle()
    expect(sizes()).toEqual([100, 100, 100, 10])
    for (const call of calls) call.answer()
    await Promise.all(all)
  })

  it('is BUSY, not TIMEOUT, for a message that was never sent', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ publishMs: 1_000, partitions: 1 }, { wrap })
    const publishes = Array.from({ length: 4 * 500 + 1 }, () => outcome(queue.publish('x')))
    await clock.advance(1_000)
    const codes = (await Promise.all(publishes)).map((error) => isHeadraceError(error) && error.code)
    expect(new Set(codes.slice(0, -1))).toEqual(new Set(['TIMEOUT']))
    expect(codes.at(-1)).toBe('BUSY')
    expect(calls).toHaveLength(4)
    expect((await queue.stats()).unconfirmed).toBe(4 * 500)
  })

  it('is ABORTED before it was sent: nothing happens then', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    for (let batch = 0; batch < 4; batch++) {
      void outcome(queue.publish('x'))
      await clock.settle()
    }
    const stop = new AbortController()
    const publishing = outcome(queue.publish('stopped', { signal: stop.signal }))
    await clock.settle()
    stop.abort('enough')
    expect(await publishing).toMatchObject({ code: 'ABORTED', cause: 'enough', message: /not sent/ })
    for (const call of calls) call.answer()
    await clock.settle()
    expect(calls).toHaveLength(4)
    expect((await queue.stats()).unconfirmed).toBe(0)
  })

  it('says UNAVAILABLE for what was not sent, and TIMEOUT for what may be stored, with the cause', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({}, { wrap })
    const unsent = outcome(queue.publish('a'))
    await clock.settle()
    calls[0]!.answer('unsent')
    expect(await unsent).toMatchObject({ code: 'UNAVAILABLE', cause: new Error('why') })
    const unknown = outcome(queue.publish('b'))
    await clock.settle()
    calls[1]!.answer('unknown')
    expect(await unknown).toMatchObject({ code: 'TIMEOUT', cause: new Error('why') })
  })

  it('takes a driver that throws for an unknown outcome', async () => {
    const wrap = (driver: ReturnType<typeof memoryQueue>) => ({
      ...driver,
      publish: () => Promise.reject(new Error('socket closed')),
    })
    const { queue } = setUp({}, { wrap })
    expect(await outcome(queue.publish('a'))).toMatchObject({ code: 'TIMEOUT', cause: new Error('socket closed') })
  })

  it('answers for each message when a driver does, and takes a rejection for an unknown outcome', async () => {
    const answers = [deferred<PublishOutcome>(), deferred<PublishOutcome>(), deferred<PublishOutcome>()]
    const wrap = (driver: ReturnType<typeof memoryQueue>) => ({
      ...driver,
      publish: async () => answers.map(({ promise }) => promise),
    })
    const { queue } = setUp({ partitions: 1 }, { wrap })
    const [first, second, third] = ['a', 'b', 'c'].map((body) => outcome(queue.publish(body)))
    answers[1]!.resolve({ type: 'stored' })
    expect(await second).toBe(undefined)
    expect((await queue.stats()).unconfirmed).toBe(2)
    answers[2]!.reject(new Error('gone'))
    expect(await third).toMatchObject({ code: 'TIMEOUT', cause: new Error('gone') })
    answers[0]!.resolve({ type: 'refused', reason: 'no' })
    expect(await first).toMatchObject({ code: 'REJECTED' })
  })

  it('is ABORTED by its signal in the same turn', async () => {
    const { wrap } = held()
    const { queue, clock } = setUp({}, { wrap })
    const stop = new AbortController()
    const publishing = outcome(queue.publish('a', { signal: stop.signal }))
    await clock.settle()
    stop.abort('enough')
    expect(await publishing).toMatchObject({ code: 'ABORTED', cause: 'enough', message: /perhaps stored/ })
    expect(await outcome(queue.publish('b', { signal: stop.signal }))).toMatchObject({ code: 'ABORTED' })
  })

  it('sends a burst as one batch, and gathers while four batches are out', async () => {
    const { calls, wrap } = held()
    const { queue, clock } = setUp({ partitions: 1 }, { wrap })
    const publishes: Promise<void>[] = []
    const burst = async (count: number) => {
      for (let n = 0; n < count; n++) publishes.push(queue.publish('x'))
      await clock.settle()
    }
    for (const count of [3, 1, 1, 1, 2, 5]) await burst(count)
    expect(calls.map((call) => call.messages.length)).toEqual([3, 1, 1, 1])
    calls[1]!.answer()
    await clock.settle()
    expect(calls.map((call) => call.messages.length)).toEqual([3, 1, 1, 1, 7])
    for (const call of calls) call.answer()
    await Promise.all(publishes)
  })
})
