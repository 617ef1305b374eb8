import { describe, expect, it } from 'vitest'
import { keyed, setUp } from './set-up.ts'

describe('hazard 15: a message that ends its process each time', () => {
  it.each([1, 2, 3, 5])('is given up after %i deliveries, and those that waited beside it are not', async (limit) => {
    const { queue, driver, clock } = setUp({ partitions: 1 })
    // With several of a key before it, which wait for their turn in their lanes.
    const names = ['a1', 'b1', 'a2', 'a3', 'c1', 'b2', 'k1', 'a4', 'k2', 'd1', 'e1']
    await queue.publishAll(keyed(...names))
    const done = new Set<string>()
    let processes = 0
    let beside = 0
    const start = () => {
      const mine = ++processes
      let running = 0
      void queue.consume(
        async ({ body, attempt }) => {
          if (mine !== processes) return
          running++
          if (attempt > limit && limit > 1) beside = Math.max(beside, running)
          if (body === 'k1') {
            driver.crashConsumers()
            processes++
            return
          }
          await clock.sleep(5)
          if (mine === processes) done.add(body)
          running--
        },
        { redeliveriesMax: limit },
      )
    }
    for (let crash = 0; crash < limit + 1; crash++) {
      start()
      await clock.advance(1_000)
    }
    expect((await queue.deadLetters.list()).map(({ body, reason }) => ({ body, reason }))).toEqual([
      { body: limit === 1 ? 'a1' : 'k1', reason: 'redelivered' },
    ])
    if (limit > 1) expect([...done].sort()).toEqual(names.filter((body) => body !== 'k1').sort())
    // Whoever came as often as it did was alone.
    expect(beside).toBeLessThanOrEqual(1)
  })

  it('is looked for with care: nothing else runs meanwhile', async () => {
    const { queue, driver, clock } = setUp({ partitions: 2 })
    const ends: (() => void)[] = []
    const started: string[] = []
    queue.consume(
      ({ body }) => {
        started.push(body)
        return new Promise<void>((resolve) => ends.push(resolve))
      },
      { redeliveriesMax: 2 },
    )
    await queue.publishAll([
      { body: 'a', key: 'a' },
      { body: 'b', key: 'b' },
      { body: 'c', key: 'c' },
    ])
    await clock.settle()
    expect(started).toHaveLength(3)
    driver.disconnect()
    for (const end of ends.splice(0)) end()
    started.length = 0
    await clock.advance(10_000)
    for (let left = 3; left > 0; left--) {
      expect(ends).toHaveLength(1)
      ends.pop()!()
      await clock.settle()
    }
    expect([...started].sort()).toEqual(['a', 'b', 'c'])
    expect((await queue.stats()).depth).toBe(0)
  })
})
