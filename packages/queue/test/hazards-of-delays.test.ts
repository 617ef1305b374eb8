import type { Clock } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createQueue, type QueueDriver } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { describe, expect, it } from 'vitest'
import { file } from './sqlite-set-up.ts'

const hourMs = 3_600_000

/** A clock whose wall clock somebody sets. */
function setUp() {
  const time = manualClock()
  let offMs = 0
  const clock: Clock = { ...time, wallMs: () => time.wallMs() + offMs }
  const seen: string[] = []
  const open = (driver: QueueDriver) => {
    const queue = createQueue<string>(driver, 'q', { clock, partitions: 1 })
    queue.consume(({ body }) => seen.push(body))
    return queue
  }
  const setWall = (ms: number) => {
    offMs += ms
  }
  return { time, clock, seen, open, setWall }
}

describe('hazard 25: delays of a second and of an hour', () => {
  it('do not wait for one another, and in memory not for the clock on the wall', async () => {
    const { time, clock, seen, open, setWall } = setUp()
    const queue = open(memoryQueue({ clock }))
    await queue.publish('an hour', { delayMs: hourMs })
    await queue.publish('a second', { delayMs: 1_000 })
    await queue.publish('at once')
    setWall(2 * hourMs)
    await time.advance(999)
    expect(seen).toEqual(['at once'])
    setWall(-5 * hourMs)
    await time.advance(1)
    expect(seen).toEqual(['at once', 'a second'])
    await time.advance(hourMs - 1_001)
    expect(seen).toHaveLength(2)
    await time.advance(1)
    expect(seen).toEqual(['at once', 'a second', 'an hour'])
    await queue.close()
  })

  it('outlive the process in SQLite, are never early by the clock on the wall, and are seen within a minute of its being set', async () => {
    const { time, clock, seen, open, setWall } = setUp()
    const path = file()
    const driver = sqliteQueue(path, { clock })
    const queue = open(driver)
    await queue.publishAll([
      { body: 'an hour', delayMs: hourMs },
      { body: 'a second', delayMs: 1_000 },
      { body: 'three hours', delayMs: 3 * hourMs },
    ])
    await time.advance(999)
    expect(seen).toEqual([])
    await queue.close()
    await driver.close()

    const after = sqliteQueue(path, { clock })
    const again = open(after)
    await again.open()
    await time.advance(1)
    expect(seen).toEqual(['a second'])
    setWall(-hourMs)
    await time.advance(2 * hourMs - 1_001)
    expect(seen).toEqual(['a second'])
    await time.advance(1)
    expect(seen).toEqual(['a second', 'an hour'])
    setWall(3 * hourMs)
    await time.advance(60_000)
    expect(seen).toEqual(['a second', 'an hour', 'three hours'])
    await again.close()
    await after.close()
    expect(time.pending).toBe(0)
  })
})
