import { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { outcome, setUp } from './set-up.ts'

describe('stats', () => {
  it('tell the age of the oldest message, waiting or held', async () => {
    const { queue, clock } = setUp({ partitions: 1 })
    await queue.publish('a')
    await clock.advance(1_000)
    await queue.publish('b')
    expect(await queue.stats()).toMatchObject({ depth: 2, held: 0, oldestAgeMs: 1_000 })
    queue.consume(() => new Promise(() => {}))
    await clock.advance(500)
    expect(await queue.stats()).toMatchObject({ depth: 2, held: 2, oldestAgeMs: 1_500 })
  })

  it('are UNAVAILABLE or TIMEOUT where the backend does not answer', async () => {
    const driver = memoryQueue()
    const { queue, clock } = setUp(
      { callMs: 10 },
      { wrap: () => ({ ...driver, stats: () => new Promise<never>(() => {}) }) },
    )
    const asking = outcome(queue.stats())
    await clock.advance(10)
    expect(await asking).toMatchObject({ code: 'TIMEOUT' })
  })
})
