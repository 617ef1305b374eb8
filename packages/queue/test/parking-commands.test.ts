import type { MemoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { keyed, setUp } from './set-up.ts'

const parking = { partitions: 1, onExhausted: 'park', retry: { attempts: 1 } } as const

describe('an unparking', () => {
  it('tries a message again that has ended its process, and gives up when it does so again and again', async () => {
    const { queue, driver, clock, of } = setUp(parking)
    let deadly = true
    const seen: string[] = []
    const start = () =>
      queue.consume(
        ({ body }) => {
          if (deadly && body === 'a1') {
            driver.crashConsumers()
            return new Promise(() => {})
          }
          seen.push(body)
          return undefined
        },
        { redeliveriesMax: 2, handlerMs: 600_000 },
      )
    await queue.publishAll(keyed('a1', 'a2'))
    for (let crash = 0; crash < 3; crash++) {
      start()
      await clock.advance(1_000)
    }
    expect(await queue.parked()).toMatchObject([{ key: 'a', waiting: 2, because: { reason: 'redelivered' } }])
    await queue.unpark('a')
    for (let crash = 0; crash < 4; crash++) {
      await clock.advance(1_000)
      start()
    }
    await clock.advance(1_000)
    expect(await queue.parked()).toMatchObject([{ key: 'a', waiting: 2 }])
    expect((await driver.stats('orders')).waiting).toBe(0)
    deadly = false
    await queue.unpark('a')
    await clock.advance(1_000)
    expect(seen).toEqual(['a1', 'a2'])
    expect(of('unparked')).toHaveLength(1)
  })

  it.each([
    ['fails', () => Promise.reject(new Error('disk'))],
    ['hangs', () => new Promise<never>(() => {})],
  ])('is done after all when the backend %s at first', async (_, fault) => {
    let faults = 1
    const wrap = (driver: MemoryQueue): MemoryQueue => ({
      ...driver,
      async subscribe(...args) {
        const subscription = await driver.subscribe(...args)
        const unpark: typeof subscription.unpark = (key, max) =>
          faults-- > 0 ? fault() : subscription.unpark!(key, max)
        return { ...subscription, unpark }
      },
    })
    const { queue, clock, of } = setUp({ ...parking, callMs: 1_000 }, { wrap })
    let broken = true
    const seen: string[] = []
    queue.consume(({ body }) => {
      if (broken) throw new Error('no')
      seen.push(body)
    })
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.advance(100)
    broken = false
    await queue.unpark('a')
    await clock.advance(60_000)
    expect(of('lost').length).toBeGreaterThan(0)
    expect(seen).toEqual(['a1', 'a2'])
    expect(await queue.parked()).toEqual([])
  })

  it('of several keys takes turns, so that one with a long backlog does not keep the others waiting', async () => {
    const { queue, clock } = setUp({ ...parking, windowMax: 20_000 })
    let broken = true
    const seen: string[] = []
    queue.consume(
      async ({ body }) => {
        if (broken) throw new Error('no')
        await clock.sleep(1)
        seen.push(body)
      },
      { prefetch: 10 },
    )
    await queue.publishAll(keyed(...Array.from({ length: 500 }, (_, at) => `a${at}`), 'b1', 'b2'))
    await clock.advance(100)
    broken = false
    await queue.unpark('a')
    await queue.unpark('b')
    await clock.advance(60)
    expect(seen).toContain('b2')
    expect(seen.length).toBeLessThan(100)
    await clock.advance(2_000)
    expect(seen).toHaveLength(502)
  })

  it('that cannot be read, or is for a key that is not parked, is passed over', async () => {
    const { queue, driver, clock } = setUp(parking)
    await queue.open()
    let broken = true
    const seen: string[] = []
    queue.consume(({ body }) => {
      if (broken) throw new Error('no')
      seen.push(body)
    })
    await queue.publishAll(keyed('a1', 'a2'))
    await clock.advance(100)
    broken = false
    const command = { key: 'a', partition: 0, headers: { 'headrace-command': '1' }, publishedAtMs: 0, delayMs: 0 }
    await driver.publish('orders', [
      { ...command, id: 'broken', payload: '{' },
      { ...command, id: 'other', key: 'b', payload: '{"what":"unpark"}' },
      { ...command, id: 'unknown', payload: '{"what":"explode"}' },
    ])
    await clock.advance(1_000)
    expect(seen).toEqual([])
    expect(await queue.stats()).toMatchObject({ depth: 0, dead: 0 })
    expect(await queue.parked()).toMatchObject([{ key: 'a', waiting: 2 }])
  })
})
