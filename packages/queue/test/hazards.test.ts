import { manualClock } from '@headrace/core/testing'
import { createQueue, reject } from '@headrace/queue'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { describe, expect, it } from 'vitest'
import { outcome, setUp } from './set-up.ts'
import { copyOf, file } from './sqlite-set-up.ts'

describe('hazard 17: a burst of ten times what a slow consumer can do', () => {
  it('is refused at once over the bounds, and never held in memory', async () => {
    const { queue, clock } = setUp({ partitions: 1, depthMax: 1_000, windowMax: 20_000 })
    const consumer = queue.consume(() => clock.sleep(100), { concurrency: 10, prefetch: 50 })
    const publishing = Array.from({ length: 10_000 }, (_, at) => outcome(queue.publish('x', { key: `k${at % 300}` })))
    const refused = (await Promise.all(publishing)).filter(Boolean)
    expect(refused).toHaveLength(9_000)
    for (const error of refused.slice(0, 10)) expect(error).toMatchObject({ code: 'BUSY', message: /is full/ })
    await clock.settle()
    expect(consumer.stats()).toMatchObject({ running: 10, held: 50 })
    await clock.advance(60_000)
    expect((await queue.stats()).depth).toBe(0)
  })
})

describe('hazard 23: a storm of retries', () => {
  it('is spread by jitter, and nobody else waits for it', async () => {
    const { queue, clock, of } = setUp({ partitions: 1, retry: { attempts: 50, delayMinMs: 100, delayMaxMs: 10_000 } })
    const handledMs: number[] = []
    queue.consume(
      ({ key }) => {
        if (key === 'fine') handledMs.push(clock.nowMs())
        else throw new Error('down')
      },
      { concurrency: 4, prefetch: 500 },
    )
    for (let at = 0; at < 200; at++) await queue.publish('x', { key: `k${at}` })
    for (let second = 0; second < 30; second++) {
      await clock.advance(1_000)
      const publishedMs = clock.nowMs()
      await queue.publish('x', { key: 'fine' })
      await clock.settle()
      expect(handledMs.at(-1)).toBe(publishedMs)
    }
    const late = of('retry').filter(({ attempt }) => attempt > 7)
    expect(late.length).toBeGreaterThan(100)
    const perSecond = Array.from({ length: 10 }, () => 0)
    for (const { delayMs } of late) perSecond[Math.min(9, Math.floor(delayMs / 1_000))]!++
    for (const share of perSecond) expect(share / late.length).toBeLessThan(0.25)
  })
})

describe('hazard 24: a key that fails with a hundred thousand messages behind it', () => {
  it('is parked with them: memory is bounded, and the other keys flow', { timeout: 60_000 }, async () => {
    const { queue, clock } = setUp({
      ...{ partitions: 1, onExhausted: 'park', windowMax: 200_000, windowBytesMax: 2 ** 30 },
      retry: { attempts: 3, delayMinMs: 10, delayMaxMs: 20 },
    })
    let held = 0
    let others = 0
    const consumer = queue.consume(
      ({ key }) => {
        held = Math.max(held, consumer.stats().held)
        if (key === 'blocked') throw new Error('no')
        others++
      },
      { prefetch: 100 },
    )
    const bodies = Array.from({ length: 100_000 }, (_, at) => ({ body: `${at}`, key: 'blocked' }))
    for (let at = 0; at < bodies.length; at += 10_000) await queue.publishAll(bodies.slice(at, at + 10_000))
    await queue.publishAll(Array.from({ length: 100 }, (_, at) => ({ body: 'x', key: `other ${at}` })))
    await clock.advance(1_000)
    expect(others).toBe(100)
    expect(held).toBeLessThanOrEqual(100)
    expect(await queue.parked()).toMatchObject([{ key: 'blocked', waiting: 100_000 }])
    expect(consumer.stats()).toMatchObject({ held: 0 })
  })
})

describe('hazard 27: a redrive that ends at any step', () => {
  it('has lost nothing and doubled nothing in SQLite, and goes on where it was', async () => {
    const clock = manualClock()
    const path = file()
    const driver = sqliteQueue(path, { clock })
    const queue = createQueue<string>(driver, 'q', { clock, partitions: 2 })
    const bodies = ['a', 'b', 'c', 'd', 'e']
    await queue.publishAll(bodies.map((body) => ({ body, key: body })))
    const consumer = queue.consume(() => {
      throw reject('no')
    })
    while ((await queue.stats()).dead < bodies.length) await clock.advance(1)
    await consumer.close()
    await clock.advance(1)
    const copies: string[] = []
    const filter = () => {
      copies.push(copyOf(path))
      return true
    }
    expect(await queue.deadLetters.redrive({ filter })).toEqual({ redriven: 5 })
    copies.push(copyOf(path))
    await queue.close()
    await driver.close()
    for (const [step, copy] of copies.entries()) {
      const after = sqliteQueue(copy, { clock })
      const again = createQueue<string>(after, 'q', { clock, partitions: 2 })
      expect(await again.stats()).toMatchObject({ depth: step, dead: bodies.length - step })
      expect(await again.deadLetters.redrive()).toEqual({ redriven: bodies.length - step })
      const seen: string[] = []
      again.consume(({ body }) => seen.push(body))
      while ((await again.stats()).depth > 0) await clock.settle()
      expect(seen.sort()).toEqual(bodies)
      await again.close()
      await after.close()
    }
  })
})
