import { isHeadraceError, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createWriter } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { expect, it } from 'vitest'
import { changed } from './subject.ts'

const fixedMs = 5
const perWriteMs = 0.05
const batchMax = 200
const deadlineMs = 100
// Before the first batch is answered nothing is known of the store, and everything is let in; that has to pass first.
const learnedMs = 2 * deadlineMs
const capacityPerMs = batchMax / (fixedMs + batchMax * perWriteMs)

/** Offers writes at a steady rate, whatever comes of them, to a store of a known capacity that is now quicker, now slower. */
async function offer(timesCapacity: number, forMs: number) {
  const clock = manualClock()
  const random = seededRandom(11)
  const full: number[] = []
  const store = changed(memoryStore(), (good) => ({
    async commit(batch) {
      const ms = (fixedMs + perWriteMs * batch.receipts.length) * (0.8 + 0.4 * random.next())
      await clock.sleep(ms)
      if (batch.receipts.length === batchMax) full.push(ms)
      return good.commit(batch)
    },
  }))
  const writer = createWriter<number, number, number>({
    ...{ name: 'flood', initial: () => 0, store, clock, batchMax, deadlineMs },
    decide: (sum, amount) => ({ state: sum + amount, result: sum }),
  })
  const seen = {
    answered: 0,
    /** Answered while the flood went on and the store was known. */
    steady: 0,
    late: 0,
    refused: 0,
    expired: 0,
    expiredAtFirst: 0,
    hintMinMs: Number.POSITIVE_INFINITY,
  }
  const writes: Promise<void>[] = []
  let owed = 0
  for (let ms = 0; ms < forMs; ms++) {
    for (owed += timesCapacity * capacityPerMs; owed >= 1; owed--) {
      const sentMs = clock.nowMs()
      const write = writer.write(`key-${writes.length % 50}`, 1).then(
        () => {
          if (clock.nowMs() - sentMs > deadlineMs) seen.late++
          else seen.answered++
          if (clock.nowMs() > learnedMs && clock.nowMs() <= forMs) seen.steady++
        },
        (error: unknown) => {
          if (clock.nowMs() > sentMs && sentMs < learnedMs) seen.expiredAtFirst++
          else if (clock.nowMs() > sentMs) seen.expired++
          else if (isHeadraceError(error, 'BUSY')) {
            seen.refused++
            seen.hintMinMs = Math.min(seen.hintMinMs, error.retryAfterMs!)
          }
        },
      )
      writes.push(write)
    }
    await clock.advance(1)
  }
  await clock.advance(2 * deadlineMs)
  await Promise.all(writes)
  await writer.close()
  // What full batches, one after the other, would have come to at the speed that the store had in this run.
  const fullMs = full.reduce((sum, ms) => sum + ms, 0) / full.length
  const capacity = ((forMs - learnedMs) * batchMax) / fullMs
  return { ...seen, offered: writes.length, capacity, stats: writer.stats() }
}

it('at half the capacity everything is answered', async () => {
  const { answered, offered } = await offer(0.5, 500)
  expect(answered).toBe(offered)
})

it.each([2, 4, 8])(
  'at %i times the capacity the answered writes stay at the capacity and meet their deadline',
  async (times) => {
    const { answered, capacity, late, expired, expiredAtFirst, refused, offered, hintMinMs, steady, stats } =
      await offer(times, 8_000 / times)
    expect(steady / capacity).toBeGreaterThan(0.95)
    expect(late).toBe(0)
    // Whoever is let in is answered in time: next to nothing is spent on answers that come too late.
    expect(expired / answered).toBeLessThan(0.02)
    expect(expiredAtFirst + expired + answered + refused).toBe(offered)
    expect(stats.refused).toBe(refused)
    expect(hintMinMs).toBeGreaterThanOrEqual(1)
  },
  20_000,
)
