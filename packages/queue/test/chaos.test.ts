import { isHeadraceError, randomBelow, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createQueue, reject } from '@headrace/queue'
import { memoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'

const keys = 12
const perKey = 25

/**
 * One seeded run: skewed keys, failing handlers, and a backend that duplicates, reorders across keys, loses confirmations,
 * drops connections and kills consumers.
 */
async function run(seed: number) {
  const clock = manualClock()
  const random = seededRandom(seed)
  const driver = memoryQueue({ clock, random, faults: { duplicate: 0.05, reorder: 0.2, loseConfirm: 0.02 } })
  const options = { clock, random, partitions: 4, retry: { attempts: 50, delayMinMs: 5, delayMaxMs: 50 } }
  const started: string[] = []
  const completed: { readonly key: string; readonly sequence: number }[] = []
  const buried = new Set<string>()
  const broken: string[] = []
  const open = () => {
    // A new process: what runs in the old one is not known to it.
    const running = new Set<string>()
    const queue = createQueue<number>(driver, 'chaos', options)
    const handle = async (key: string, sequence: number) => {
      if (running.has(key)) broken.push(`two handlers of "${key}" at once`)
      running.add(key)
      try {
        await clock.sleep(randomBelow(random, 6))
        started.push(`${key}/${sequence}`)
        if (random.next() < 0.05) throw new Error('transient')
        if (sequence % 20 === 7) {
          buried.add(`${key}/${sequence}`)
          throw reject('seven')
        }
        completed.push({ key, sequence })
      } finally {
        running.delete(key)
      }
    }
    if (seed % 2) {
      queue.consumeBatch(
        async (messages) => {
          const results: PromiseSettledResult<void>[] = []
          const failed = new Set<string>()
          for (const { key, body } of messages) {
            // Effects in order are for the handler to keep within a batch: it stops a key that failed.
            const work = failed.has(key!) ? Promise.reject(new Error('behind')) : handle(key!, body)
            const [result] = await Promise.allSettled([work])
            if (result.status === 'rejected' && !isHeadraceError(result.reason, 'REJECTED')) failed.add(key!)
            results.push(result)
          }
          return results
        },
        { sizeMax: 8, lingerMs: 2, redeliveriesMax: 1_000 },
      )
    } else {
      queue.consume(({ key, body }) => handle(key!, body), { concurrency: 5, prefetch: 20, redeliveriesMax: 1_000 })
    }
    return queue
  }

  const publisher = createQueue<number>(driver, 'chaos', options)
  const publish = async (key: string, sequence: number) => {
    for (let tries = 0; tries < 100; tries++) {
      try {
        return await publisher.publish(sequence, { key, id: `${key}/${sequence}` })
      } catch (error) {
        // Published again under the same id: a duplicate when it was stored after all.
        if (!isHeadraceError(error, 'TIMEOUT') && !isHeadraceError(error, 'UNAVAILABLE')) throw error
        await clock.sleep(20)
      }
    }
    throw new Error(`seed ${seed}: never published`)
  }
  const publishing = Array.from({ length: keys }, async (_, key) => {
    for (let sequence = 0; sequence < perKey; sequence++) {
      await publish(`k${key}`, sequence)
      if (random.next() < 0.3) await clock.sleep(randomBelow(random, 40))
    }
  })

  let queue = open()
  for (let fault = 0; fault < 6; fault++) {
    await clock.advance(30 + randomBelow(random, 150))
    if (random.next() < 0.5) driver.disconnect(randomBelow(random, 100))
    else {
      driver.crashConsumers()
      void queue.close({ signal: AbortSignal.abort() })
      queue = open()
    }
  }
  await clock.advance(120_000)
  await Promise.all(publishing)
  const stats = await queue.stats()
  await queue.close()
  await publisher.close()
  return { completed, buried, broken, stats, pending: clock.pending }
}

describe('in a backend that does everything it is allowed to', () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'nothing is lost and no key is out of order (seed %i)',
    async (seed) => {
      const { completed, buried, broken, stats, pending } = await run(seed)
      expect(broken).toEqual([])
      for (let key = 0; key < keys; key++) {
        const sequences = completed.filter((it) => it.key === `k${key}`).map((it) => it.sequence)
        // At least once: what counts is the first completion of each, as with a consumer that remembers the highest it has seen.
        const firsts = [...new Set(sequences)]
        const expected = Array.from({ length: perKey }, (_, sequence) => sequence).filter((it) => it % 20 !== 7)
        expect(firsts).toEqual(expected)
        expect(buried).toContain(`k${key}/7`)
      }
      expect(stats).toMatchObject({ depth: 0, delayed: 0 })
      expect(pending).toBe(0)
    },
  )
})
