import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isHeadraceError, randomBelow, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createQueue, type QueueDriver, type QueueOptions } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { afterAll, describe, expect, it } from 'vitest'

const keys = 8
const perKey = 20
const folder = mkdtempSync(join(tmpdir(), 'headrace-parking-'))
afterAll(() => rmSync(folder, { recursive: true }))

/**
 * One seeded run: handlers fail often and keys are parked, while an operator unparks and skips them, and consumers end in the
 * middle of it. `interrupt` is what this backend does to them.
 */
async function run(
  seed: number,
  make: (clock: ReturnType<typeof manualClock>) => { driver: QueueDriver; interrupt: (() => void) | undefined },
) {
  const clock = manualClock()
  const random = seededRandom(seed)
  const { driver, interrupt } = make(clock)
  const options: QueueOptions<number> = {
    ...{ clock, random, partitions: 2, onExhausted: 'park' },
    retry: { attempts: 2, delayMinMs: 1, delayMaxMs: 5 },
  }
  const completed: { readonly key: string; readonly sequence: number }[] = []
  let parkings = 0
  let failing = 0.4
  const open = () => {
    const queue = createQueue<number>(driver, 'parking', {
      ...options,
      observe: ({ type }) => {
        if (type === 'parked') parkings++
      },
    })
    queue.consume(
      async ({ key, body }) => {
        await clock.sleep(randomBelow(random, 4))
        if (random.next() < failing) throw new Error('no')
        completed.push({ key: key!, sequence: body })
      },
      { concurrency: 5, prefetch: 6, redeliveriesMax: 1_000 },
    )
    return queue
  }

  const publisher = createQueue<number>(driver, 'parking', options)
  const publishing = Array.from({ length: keys }, async (_, key) => {
    for (let sequence = 0; sequence < perKey; ) {
      try {
        await publisher.publish(sequence, { key: `k${key}`, id: `k${key}/${sequence}` })
        sequence++
      } catch (error) {
        if (!isHeadraceError(error)) throw error
        await clock.sleep(10)
      }
      if (random.next() < 0.6) await clock.sleep(randomBelow(random, 150))
    }
  })
  const tend = async () => {
    const parked = await publisher.parked()
    for (const { key } of parked) {
      const act = random.next() < 0.1 ? publisher.skip : publisher.unpark
      await act(key).catch(() => {})
    }
    return parked.length
  }
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 5) await clock.advance(5)
  }

  let queue = open()
  for (let fault = 0; fault < 6; fault++) {
    await pass(20 + randomBelow(random, 100))
    const tending = tend()
    await pass(randomBelow(random, 20))
    if (random.next() < 0.5) interrupt?.()
    void queue.close({ signal: random.next() < 0.5 ? AbortSignal.abort() : undefined })
    queue = open()
    await pass(200)
    await tending
  }
  failing = 0
  for (let rounds = 0; rounds < 100; rounds++) {
    const tending = tend()
    await pass(500)
    if ((await tending) === 0 && (await queue.stats()).depth === 0) break
  }
  await Promise.all(publishing)
  const dead = await publisher.deadLetters.list()
  const stats = await queue.stats()
  await queue.close()
  await publisher.close()
  await driver.close()
  return { completed, dead, parkings, stats, pending: clock.pending }
}

function check({ completed, dead, parkings, stats, pending }: Awaited<ReturnType<typeof run>>): void {
  expect(stats).toMatchObject({ depth: 0 })
  expect(parkings).toBeGreaterThan(5)
  const buried = new Set(dead.map(({ id }) => id))
  for (let key = 0; key < keys; key++) {
    const firsts = [...new Set(completed.filter((it) => it.key === `k${key}`).map((it) => it.sequence))]
    expect(firsts).toEqual([...firsts].sort((a, b) => a - b))
    const lost = Array.from({ length: perKey }, (_, sequence) => sequence).filter(
      (sequence) => !firsts.includes(sequence) && !buried.has(`k${key}/${sequence}`),
    )
    expect(lost).toEqual([])
  }
  expect(pending).toBe(0)
}

describe('while keys are parked, unparked and skipped, nothing is lost and no key is out of order', () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed))('in memory, under every fault (seed %i)', async (seed) => {
    const outcome = await run(seed, (clock) => {
      const faults = { duplicate: 0.03, reorder: 0.2, loseConfirm: 0.02 }
      const driver = memoryQueue({ clock, random: seededRandom(seed + 1_000), faults })
      const interrupt = () => (seed % 2 ? driver.disconnect(20) : driver.crashConsumers())
      return { driver, interrupt }
    })
    check(outcome)
  })

  it.each([1, 2, 3])('in SQLite (seed %i)', async (seed) => {
    const outcome = await run(seed, (clock) => ({
      driver: sqliteQueue(join(folder, `${seed}.db`), { clock }),
      interrupt: undefined,
    }))
    check(outcome)
  })
})
