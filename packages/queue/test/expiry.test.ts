import { describe, expect, it } from 'vitest'
import { keyed, setUp } from './set-up.ts'

describe('a message that has expired', () => {
  it('goes to the dead letters when its turn comes, and its key goes on', async () => {
    const { queue, clock, of } = setUp({ partitions: 1 })
    const seen: string[] = []
    await queue.publish('a1', { key: 'a', ttlMs: 1_000, id: 'late' })
    await queue.publish('a2', { key: 'a', ttlMs: 1_001 })
    await queue.publish('a3', { key: 'a' })
    await clock.advance(1_000)
    queue.consume(({ body, headers }) => seen.push(`${body} ${JSON.stringify(headers)}`))
    await clock.settle()
    expect(seen).toEqual(['a2 {}', 'a3 {}'])
    expect(await queue.deadLetters.list()).toMatchObject([
      { id: 'late', body: 'a1', reason: 'expired', attempts: 0, headers: {} },
    ])
    expect(of('dead-letter')).toMatchObject([{ id: 'late', reason: 'expired' }])
    expect((await queue.stats()).depth).toBe(0)
  })

  it('is dropped where that is what was asked for, and an event says so', async () => {
    const { queue, clock, of } = setUp({ ttlMs: 1_000, onExpired: 'drop' })
    let handled = 0
    await queue.publish('x', { id: 'late', key: 'k' })
    await queue.publish('y', { ttlMs: 5_000 })
    await clock.advance(1_000)
    queue.consume(() => handled++)
    await clock.settle()
    expect(handled).toBe(1)
    expect(of('dropped')).toEqual([{ type: 'dropped', queue: 'orders', id: 'late', key: 'k', reason: 'expired' }])
    expect(await queue.stats()).toMatchObject({ depth: 0, dead: 0 })
  })

  it('is not tried again, once its time is over between two attempts', async () => {
    const { queue, clock } = setUp({ retry: { attempts: 50, delayMinMs: 400, delayMaxMs: 400 } })
    let calls = 0
    queue.consume(() => {
      calls++
      throw new Error('no')
    })
    await queue.publish('x', { ttlMs: 1_000 })
    await clock.advance(60_000)
    expect(calls).toBeGreaterThan(1)
    expect(calls).toBeLessThan(20)
    expect(await queue.deadLetters.list()).toMatchObject([{ reason: 'expired', attempts: calls }])
  })

  it('was late by more than its delay: the time counts from when it is due', async () => {
    const { queue, clock } = setUp()
    const seen: string[] = []
    await queue.publish('x', { delayMs: 5_000, ttlMs: 100 })
    queue.consume(({ body }) => seen.push(body))
    await clock.advance(5_000)
    expect(seen).toEqual(['x'])
  })

  it('has all the time in the world when it is redriven', async () => {
    const { queue, clock } = setUp({ ttlMs: 10 })
    const seen: string[] = []
    await queue.publish('x')
    await clock.advance(10)
    queue.consume(({ body }) => seen.push(body))
    await clock.advance(1)
    expect(await queue.deadLetters.redrive()).toEqual({ redriven: 1 })
    await clock.advance(60_000)
    expect(seen).toEqual(['x'])
  })

  it('takes nothing of its batch with it', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const batches: string[][] = []
    await queue.publish('a1', { key: 'a' })
    await queue.publish('a2', { key: 'a', ttlMs: 1 })
    await queue.publish('a3', { key: 'a' })
    await clock.advance(1)
    queue.consumeBatch((messages) => void batches.push(messages.map(({ body }) => body)))
    await clock.settle()
    expect(batches).toEqual([['a1', 'a3']])
  })

  it('never was there for options that are wrong', async () => {
    const { queue } = setUp()
    await expect(queue.publish('x', { ttlMs: 0 })).rejects.toThrow('ttlMs')
    expect(() => setUp({ ttlMs: Number.POSITIVE_INFINITY })).toThrow('ttlMs')
    expect(() => setUp({ onExpired: 'forget' as never })).toThrow('onExpired must be dead-letter or drop')
    const headers = { 'headrace-expires-at': '1' }
    await expect(queue.publish('x', { headers })).rejects.toThrow('header "headrace-expires-at" is the queue\'s own')
  })
})

describe('hazard 18: a queue that is full', () => {
  it('refuses, or gives up the oldest message to the dead letters', async () => {
    const { queue } = setUp({ partitions: 1, depthMax: 2 })
    await queue.publishAll(keyed('a', 'b'))
    await expect(queue.publish('c')).rejects.toMatchObject({ code: 'BUSY' })
    const other = setUp({ partitions: 1, depthMax: 2, onFull: 'dead-letter' })
    await other.queue.publishAll(keyed('a', 'b', 'c', 'd'))
    expect(await other.queue.deadLetters.list()).toMatchObject([
      { body: 'a', reason: 'overflow', attempts: 0 },
      { body: 'b', reason: 'overflow' },
    ])
    expect(await other.queue.stats()).toMatchObject({ depth: 2, dead: 2 })
    await expect(other.queue.publish('e')).rejects.toMatchObject({ code: 'BUSY' })
  })

  it('does not give up what a consumer holds', async () => {
    const { queue, clock } = setUp({ partitions: 1, depthMax: 2, onFull: 'dead-letter' })
    queue.consume(() => new Promise(() => {}))
    await queue.publishAll(keyed('a', 'b'))
    await clock.settle()
    await expect(queue.publish('c')).rejects.toMatchObject({ code: 'BUSY' })
    expect((await queue.stats()).dead).toBe(0)
  })

  it('is UNSUPPORTED to give up anything, where the driver cannot do it safely', () => {
    const make = () =>
      setUp({ onFull: 'dead-letter' }, { wrap: (it) => ({ ...it, supports: { ...it.supports, evict: false } }) })
    expect(make).toThrow('memory cannot give up the oldest message of a full queue')
    expect(() => setUp({ onFull: 'drop' as never })).toThrow('onFull must be reject or dead-letter')
  })
})
