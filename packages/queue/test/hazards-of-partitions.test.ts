import { manualClock } from '@headrace/core/testing'
import { createQueue, type QueueEvent } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { describe, expect, it } from 'vitest'
import { outcome } from './set-up.ts'
import { file } from './sqlite-set-up.ts'

describe.each(['memory', 'sqlite'])('hazard 28: another number of partitions, over a backlog in %s', (kind) => {
  it('is refused to publishers and consumers alike, and the backlog keeps its order', async () => {
    const clock = manualClock()
    const driver = kind === 'memory' ? memoryQueue({ clock }) : sqliteQueue(file(), { clock })
    const before = createQueue<number>(driver, 'q', { clock, partitions: 4 })
    const bodies = Array.from({ length: 200 }, (_, body) => body)
    const keyed = (body: number) => ({ key: `k${body % 20}` })
    await before.publishAll(bodies.slice(0, 100).map((body) => ({ body, ...keyed(body) })))

    const events: QueueEvent[] = []
    const after = createQueue<number>(driver, 'q', { clock, partitions: 8, observe: (event) => events.push(event) })
    const refusal = { code: 'REJECTED', message: expect.stringContaining('partitions is 4, not 8') }
    expect(await outcome(after.publish(100, keyed(100)))).toMatchObject(refusal)
    const strayed: number[] = []
    after.consume(({ body }) => strayed.push(body))
    await clock.advance(10_000)
    expect(events.find(({ type }) => type === 'lost')).toMatchObject({ cause: refusal })
    await after.close()

    for (const body of bodies.slice(100)) await before.publish(body, keyed(body))
    const seen: number[] = []
    before.consume(({ body }) => seen.push(body))
    while ((await before.stats()).depth > 0) await clock.advance(1)
    expect(strayed).toEqual([])
    for (const body of bodies.slice(0, 20)) {
      expect(seen.filter((it) => it % 20 === body)).toEqual(bodies.filter((it) => it % 20 === body))
    }
    await before.close()
    await driver.close()
  })
})
