import { createQueue } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import type { EventSink } from '@headrace/writer'
import { describe, expect, it } from 'vitest'
import { never, type Order, type Stock, setup } from './subject.ts'

interface Published {
  readonly body: string
  readonly key: string
  readonly id: string
}

/** Tells every sale as an event, and a big one as two. */
const telling = (stock: Stock, { quantity }: Order) => ({
  state: { left: stock.left - quantity },
  result: 'sold' as const,
  events: quantity > 1 ? [`sold ${quantity}`, `left ${stock.left - quantity}`] : [`left ${stock.left - quantity}`],
})

function sink(publish?: (event: Published, signal: AbortSignal) => Promise<void>) {
  const published: Published[] = []
  const queue: EventSink<string> = {
    async publish(body, { key, id, signal }) {
      await publish?.({ body, key, id }, signal)
      published.push({ body, key, id })
    },
  }
  return { published, queue }
}

describe('the events of decisions', () => {
  it('are published in order after the commit, with the key and an id of their own, and then forgotten', async () => {
    const { published, queue } = sink()
    const { clock, writer, events, ledger } = setup({ queue, decide: telling })
    await writer.write('a', { quantity: 2 }, { id: 'x' })
    await writer.write('a', { quantity: 1 }, { id: 'y' })
    await clock.settle()
    expect(published).toEqual([
      { body: 'sold 2', key: 'a', id: 'x/0' },
      { body: 'left 8', key: 'a', id: 'x/1' },
      { body: 'left 7', key: 'a', id: 'y/0' },
    ])
    expect(await (await ledger()).outbox(0, 10)).toEqual([])
    expect(events.flatMap((event) => (event.type === 'published' ? event.events : []))).toEqual([2, 1])
  })

  it('go to a queue of @headrace/queue', async () => {
    const driver = memoryQueue()
    const queue = createQueue<string>(driver, 'sales')
    const { writer } = setup({ queue, decide: telling })
    const id = 'i'.repeat(512)
    await writer.write('a', { quantity: 2 }, { id })
    await writer.close()
    expect((await queue.stats()).depth).toBe(2)
    await queue.close()
  })

  it('wait for the one before of their key, and for no other key', async () => {
    const open = Promise.withResolvers<void>()
    const { published, queue } = sink(({ key }) => (key === 'slow' ? open.promise : Promise.resolve()))
    const { clock, writer } = setup({ queue, decide: telling })
    await Promise.all(
      ['slow', 'slow', 'fast', 'fast'].map((key, at) => writer.write(key, { quantity: 1 }, { id: `${at}` })),
    )
    await clock.settle()
    expect(published.map((event) => event.id)).toEqual(['2/0', '3/0'])
    open.resolve()
    await clock.settle()
    expect(published.map((event) => event.id)).toEqual(['2/0', '3/0', '0/0', '1/0'])
  })

  it('that the queue refuses stay in the store and are tried again, and none overtakes them', async () => {
    let refusals = 2
    const { published, queue } = sink(async ({ id }) => {
      if (id === '1/0' && refusals-- > 0) throw new Error('no route')
    })
    const { clock, writer, events, ledger } = setup({ queue, decide: telling })
    await Promise.all([0, 1, 2].map((at) => writer.write('a', { quantity: 1 }, { id: `${at}` })))
    await clock.settle()
    expect((await (await ledger()).outbox(0, 10)).map((event) => event.id)).toEqual(['1/0', '2/0'])
    await clock.advance(5_000)
    expect(published.map((event) => event.id)).toEqual(['0/0', '1/0', '2/0'])
    expect(events.filter((event) => event.type === 'failed')).toHaveLength(2)
    expect(await (await ledger()).outbox(0, 10)).toEqual([])
  })

  it('are given up after storeTimeoutMs each, so that a slow queue still gets on', async () => {
    const { published, queue } = sink(() => clock.sleep(90))
    const { clock, writer } = setup({ queue, decide: telling, storeTimeoutMs: 100 })
    await Promise.all(Array.from({ length: 20 }, () => writer.write('a', { quantity: 1 })))
    await clock.advance(20 * 90)
    expect(published).toHaveLength(20)
  })

  it('whose publishing hangs have their signal aborted, and later ones do not go out from that attempt', async () => {
    const signals: AbortSignal[] = []
    const seen: string[] = []
    const { queue } = sink((event, signal) => {
      signals.push(signal)
      seen.push(event.id)
      return signals.length === 1 ? never() : Promise.resolve()
    })
    const { clock, writer } = setup({ queue, decide: telling, storeTimeoutMs: 100 })
    await Promise.all([0, 1].map((at) => writer.write('a', { quantity: 1 }, { id: `${at}` })))
    await clock.advance(100)
    expect(signals.map((signal) => signal.aborted)).toEqual([true])
    await clock.advance(100)
    expect(seen).toEqual(['0/0', '0/0', '1/0'])
  })

  it('go out together where the sink can, in their order, and one by one after that has failed, until all are out', async () => {
    const calls: string[][] = []
    const { published, queue } = sink()
    let refusals = 1
    const both: EventSink<string> = {
      ...queue,
      async publishAll(messages) {
        calls.push(messages.map(({ body, key, id }) => `${key} ${id} ${body}`))
        if (refusals-- > 0) throw new Error('one of them is bad')
      },
    }
    const { clock, writer, ledger } = setup({ queue: both, decide: telling })
    await Promise.all([0, 1].map((at) => writer.write('a', { quantity: 1 }, { id: `${at}` })))
    await clock.settle()
    expect(calls).toEqual([['a 0/0 left 9', 'a 1/0 left 8']])
    expect(published).toEqual([])
    await clock.advance(10_000)
    expect(published.map(({ id }) => id)).toEqual(['0/0', '1/0'])
    await writer.write('a', { quantity: 1 }, { id: '2' })
    await clock.settle()
    expect(calls.slice(1)).toEqual([['a 2/0 left 7']])
    expect(published).toHaveLength(2)
    expect(await (await ledger()).outbox(0, 10)).toEqual([])
  })

  it('that a crashed owner left behind are published by the next one, without a new event', async () => {
    const { queue: dead } = sink(never)
    const { clock, writer, create } = setup({ queue: dead, decide: telling })
    await writer.write('a', { quantity: 1 }, { id: 'x' })
    const { published, queue } = sink()
    const next = create({ queue, decide: (stock) => ({ state: stock, result: 'sold-out' }) })
    await next.write('b', { quantity: 1 })
    await clock.settle()
    expect(published.map((event) => event.id)).toEqual(['x/0'])
  })

  it('committed while the outbox is read are published, though the answer does not have them', async () => {
    const { published, queue } = sink()
    const { clock, writer } = setup({
      queue,
      decide: telling,
      change: (good, clock) => ({
        async outbox(partition, limit) {
          const events = await good.outbox(partition, limit)
          await clock.sleep(20)
          return events
        },
      }),
    })
    // The first finds the outbox being read because a term began, the second because of the first.
    const writes = [writer.write('a', { quantity: 1 })]
    await clock.settle()
    await clock.advance(5)
    writes.push(writer.write('a', { quantity: 1 }))
    await Promise.all(writes)
    const closing = writer.close()
    await clock.advance(200)
    await closing
    expect(published.map(({ body }) => body)).toEqual(['left 9', 'left 8'])
  })

  it('of more than one portion are all published, and close waits for them', async () => {
    const { published, queue } = sink()
    const { writer } = setup({ queue, decide: telling })
    await Promise.all(Array.from({ length: 600 }, () => writer.write('a', { quantity: 1 })))
    await writer.close()
    expect(published).toHaveLength(600)
    expect(new Set(published.map((event) => event.id)).size).toBe(600)
  })

  it('do not hold a close up for longer than drainMs', async () => {
    const { queue } = sink(never)
    const { clock, writer } = setup({ queue, decide: telling, drainMs: 100 })
    await writer.write('a', { quantity: 1 })
    const closed = writer.close()
    await clock.advance(100)
    await closed
    expect(clock.nowMs()).toBe(100)
    expect(clock.pending).toBe(0)
  })

  it.each(['outbox', 'published'] as const)('survive a store whose %s fails', async (method) => {
    let failures = 1
    const { published, queue } = sink()
    const { clock, writer } = setup({
      queue,
      decide: telling,
      change: (good) => ({
        [method]: (...args: [number, number]) =>
          failures-- > 0 ? Promise.reject(new Error('broken')) : (good[method](...args) as Promise<never>),
      }),
    })
    await writer.write('a', { quantity: 1 }, { id: 'x' })
    await clock.advance(1_000)
    expect(new Set(published.map((event) => event.id))).toEqual(new Set(['x/0']))
    await writer.close()
    expect(clock.pending).toBe(0)
  })
})
