import { seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'
import { createLanes, type Item } from '../src/consuming/lanes.ts'
import { deferred, setUp } from './set-up.ts'

describe('a priority', () => {
  it('chooses among the keys that a consumer holds, and never within a key', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const seen: string[] = []
    for (const [body, priority] of [
      ['a1', 4],
      ['b1', undefined],
      ['c1', 0],
      ['d1', 9],
      ['d2', 0],
      ['e1', 5],
    ] as const) {
      await queue.publish(body, { key: body[0], priority })
    }
    queue.consume(({ body, headers }) => seen.push(`${body}${Object.keys(headers)}`), { concurrency: 1 })
    await clock.settle()
    expect(seen).toEqual(['d1', 'e1', 'a1', 'b1', 'c1', 'd2'])
  })

  it('is lent by a message to those of its key before it', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const seen: string[] = []
    await queue.publish('a1', { key: 'a' })
    await queue.publish('b1', { key: 'b', priority: 0 })
    await queue.publish('b2', { key: 'b', priority: 9 })
    queue.consume(({ body }) => seen.push(body), { concurrency: 1 })
    await clock.settle()
    expect(seen).toEqual(['b1', 'b2', 'a1'])
  })

  it('starves nobody: whoever waits gains a level for each priorityAgeMs', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const seen: string[] = []
    let end = () => {}
    queue.consume(
      ({ body }) => {
        seen.push(body)
        const { promise, resolve } = deferred()
        end = resolve
        return promise
      },
      { concurrency: 1, priorityAgeMs: 100 },
    )
    await queue.publish('first', { priority: 9 })
    await clock.settle()
    await queue.publish('low', { priority: 0 })
    // Every 50 ms another one of the highest.
    for (let urgent = 0; urgent < 40; urgent++) {
      await queue.publish(`urgent ${urgent}`, { priority: 9 })
      await clock.advance(50)
      end()
      await clock.settle()
    }
    const waited = seen.indexOf('low')
    // After 900 ms it is as urgent as the others, and older than most of them.
    expect(waited).toBeGreaterThan(15)
    expect(waited).toBeLessThan(22)
  })

  it('counts in batches, too', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    const batches: string[][] = []
    await queue.publish('a', { priority: 1 })
    await queue.publish('b')
    await queue.publish('c', { priority: 7 })
    queue.consumeBatch((messages) => void batches.push(messages.map(({ body }) => body)), { sizeMax: 2 })
    await clock.settle()
    expect(batches).toEqual([['c', 'b'], ['a']])
  })

  it('is 0 to 9, and what another program has written there is the usual one', async () => {
    const { queue, driver, clock } = setUp({ partitions: 1 })
    await expect(queue.publish('x', { priority: 10 })).rejects.toThrow('priority')
    await expect(queue.publish('x', { priority: 1.5 })).rejects.toThrow('priority')
    expect(() => queue.consume(() => {}, { priorityAgeMs: 0 })).toThrow('priorityAgeMs')
    await queue.open()
    const seen: string[] = []
    const raw = { key: undefined, partition: 0, publishedAtMs: 0, delayMs: 0 }
    await driver.publish('orders', [
      { ...raw, id: 'odd', payload: '"odd"', headers: { 'headrace-priority': '99', 'headrace-expires-at': 'soon' } },
    ])
    queue.consume(({ body }) => seen.push(body))
    await clock.settle()
    expect(seen).toEqual(['odd'])
  })
})

const item = (key: string | undefined, id: string, priority = 4): Item =>
  ({
    delivery: { message: { key, id, publishedAtMs: 0 } },
    priority,
    attempt: 1,
    alone: false,
    careful: false,
  }) as unknown as Item

describe('lanes', () => {
  it('forget a hundred thousand keys that are done', () => {
    const lanes = createLanes(() => {}, { nowMs: () => 0 }, 1_000)
    for (let key = 0; key < 100_000; key++) {
      lanes.add(item(`k${key}`, 'x'))
      if (key % 100 < 99) continue
      expect(lanes.size()).toBe(100)
      for (const stretch of lanes.take(1_000)) lanes.resume(stretch, [])
      expect(lanes.size()).toBe(0)
    }
    expect(lanes.waiting()).toBe(0)
  })

  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'give out everything once, in order per key, whatever the priorities (seed %i)',
    (seed) => {
      const random = seededRandom(seed)
      const below = (limit: number) => Math.floor(random.next() * limit)
      let nowMs = 0
      const lanes = createLanes(() => {}, { nowMs: () => nowMs }, 10)
      const next = new Map<string, number>()
      const done = new Map<string, number>()
      const out: ReturnType<typeof lanes.take> = []
      let [added, given] = [0, 0]
      for (let step = 0; step < 2_000 || given < added; step++) {
        nowMs += below(5)
        if (step < 2_000 && random.next() < 0.6) {
          const key = `k${below(8)}`
          const sequence = next.get(key) ?? 0
          next.set(key, sequence + 1)
          lanes.add(item(key, String(sequence), random.next() < 0.5 ? 4 : below(10)))
          added++
        }
        if (random.next() < 0.5) out.push(...lanes.take(1 + below(3)))
        if (out.length === 0 || random.next() < 0.3) continue
        const [stretch] = out.splice(below(out.length), 1)
        const back = random.next() < 0.2 ? stretch!.items : []
        if (back.length === 0) {
          for (const { delivery } of stretch!.items) {
            const { key, id } = delivery.message
            expect(Number(id)).toBe(done.get(key!) ?? 0)
            done.set(key!, Number(id) + 1)
            given++
          }
        }
        lanes.resume(stretch!, back)
      }
      expect([lanes.waiting(), lanes.ready, lanes.size()]).toEqual([0, 0, 0])
    },
  )
})
