import { isHeadraceError, randomBelow, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createQueue, type QueueDriver, type QueueEvent, reject } from '@headrace/queue'
import { createMemoryInbox, sequenceHeaders } from '@headrace/queue/inbox'
import { memoryQueue } from '@headrace/queue/memory'
import type { HistoryEvent } from './history.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly keys?: number
  readonly perKey?: number
  /** Longest pause of whoever publishes a key. */
  readonly pauseMs?: number
  readonly faults?: number
  /** Longest time between two faults. */
  readonly everyMs?: number
  /** How long a connection is gone, or all handlers fail, at most. */
  readonly outageMs?: number
  readonly attempts?: number
  /** Breaks the backend, to see that the checker sees it. */
  readonly wrap?: (driver: QueueDriver) => QueueDriver
  /** An inbox that knows no duplicates. */
  readonly forgetful?: boolean
}

export interface Chaos {
  readonly history: readonly HistoryEvent[]
  /** What took longer, or held more, than it may. */
  readonly overBounds: readonly string[]
  /** Timers that are left. */
  readonly pending: number
  /** In its own time. */
  readonly tookMs: number
}

const partitions = 4
const prefetch = 20
const publishMs = 10_000

/**
 * One seeded run: skewed keys, failing handlers, a backend that duplicates, reorders across keys, loses confirmations, drops
 * connections and kills consumers, and an operator who redrives what was given up. Effects go through an inbox.
 */
export async function chaos(given: ChaosOptions): Promise<Chaos> {
  const { seed, keys = 12, perKey = 25, pauseMs = 40, faults = 6, everyMs = 180, outageMs = 100 } = given
  const { attempts = 50, wrap = (driver) => driver, forgetful = false } = given
  const clock = manualClock()
  const beganMs = clock.nowMs()
  const random = seededRandom(seed)
  const memory = memoryQueue({ clock, random, faults: { duplicate: 0.05, reorder: 0.2, loseConfirm: 0.02 } })
  const driver = wrap(memory)
  const history: HistoryEvent[] = []
  const overBounds: string[] = []
  const inbox = createMemoryInbox({ consumer: 'chaos' })
  const stepOf = (id: string) => ({ key: id.split('/')[0]!, sequence: Number(id.split('/')[1]) })
  const observe = (event: QueueEvent) => {
    if (event.type === 'dead-letter') history.push({ type: 'dead', ...stepOf(event.id) })
  }
  const options = { clock, random, partitions, publishMs, retry: { attempts, delayMinMs: 5, delayMaxMs: 50 } }
  /** What is rejected until it is redriven. */
  const mended = new Set<string>()
  let stormUntilMs = 0
  let processes = 0

  const open = () => {
    const process = `process ${processes++}`
    const queue = createQueue<number>(driver, 'chaos', { ...options, observe })
    const handle = async (message: {
      id: string
      key: string | undefined
      headers: Readonly<Record<string, string>>
    }) => {
      const step = stepOf(message.id)
      history.push({ type: 'begun', process, ...step })
      try {
        await clock.sleep(randomBelow(random, 6))
        if (random.next() < 0.05 || clock.nowMs() < stormUntilMs) throw new Error('transient')
        if (step.sequence % 20 === 8 && !mended.has(message.id)) throw reject('eight')
        const effect = () => void history.push({ type: 'effect', ...step })
        if (forgetful) effect()
        else inbox.apply(message, effect as () => undefined)
        history.push({ type: 'handled', process, ...step })
      } catch (error) {
        history.push({ type: 'failed', process, ...step })
        throw error
      }
    }
    const limits = { prefetch, redeliveriesMax: 1_000_000 }
    if (seed % 2 === 0) return { queue, consumer: queue.consume(handle, { concurrency: 5, ...limits }) }
    const consumer = queue.consumeBatch(
      async (messages) => {
        const results: PromiseSettledResult<void>[] = []
        const failed = new Set<string>()
        for (const message of messages) {
          // Effects in order are for the handler to keep within a batch: it stops a key that failed.
          const work = failed.has(message.key!) ? Promise.reject(new Error('behind')) : handle(message)
          const [result] = await Promise.allSettled([work])
          if (result.status === 'rejected' && !isHeadraceError(result.reason, 'REJECTED')) failed.add(message.key!)
          results.push(result)
        }
        return results
      },
      { sizeMax: 8, lingerMs: 2, ...limits },
    )
    return { queue, consumer }
  }

  const publisher = createQueue<number>(driver, 'chaos', options)
  const publish = async (key: string, sequence: number) => {
    let known = false
    for (;;) {
      const sentMs = clock.nowMs()
      try {
        await publisher.publish(sequence, {
          key,
          id: `${key}/${sequence}`,
          headers: sequenceHeaders('chaos', sequence),
        })
        history.push({ type: 'accepted', key, sequence })
        return
      } catch (error) {
        // Published again under the same id: a duplicate when it was stored after all.
        if (!isHeadraceError(error, 'TIMEOUT') && !isHeadraceError(error, 'UNAVAILABLE')) throw error
        if (!known && error.code === 'TIMEOUT') history.push({ type: 'unknown', key, sequence })
        known ||= error.code === 'TIMEOUT'
        if (clock.nowMs() > sentMs + publishMs) overBounds.push(`publishing ${key}/${sequence}`)
        await clock.sleep(20 + randomBelow(random, pauseMs))
      }
    }
  }
  let publishing = keys
  for (let key = 0; key < keys; key++) {
    void (async () => {
      for (let sequence = 1; sequence <= perKey; sequence++) {
        await publish(`k${key}`, sequence)
        if (random.next() < 0.3) await clock.sleep(randomBelow(random, pauseMs))
      }
      publishing--
    })()
  }
  const redrive = async () => {
    const filter = ({ id }: { readonly id: string }) => {
      history.push({ type: 'redriven', ...stepOf(id) })
      mended.add(id)
      return true
    }
    const ended = publisher.deadLetters.redrive({ filter }).catch(() => {})
    await clock.advance(1_000)
    await ended
  }

  let current = open()
  const sample = () => {
    const { held } = current.consumer.stats()
    // One more of each, where the fault of delivering twice has met the last.
    if (held > (prefetch + 1) * partitions) overBounds.push(`${held} held`)
  }
  for (let fault = 0; fault < faults; fault++) {
    await clock.advance(30 + randomBelow(random, everyMs))
    sample()
    const which = random.next()
    if (which < 0.4) memory.disconnect(randomBelow(random, outageMs))
    else if (which < 0.5) stormUntilMs = clock.nowMs() + randomBelow(random, outageMs)
    else if (which < 0.6) await redrive()
    else {
      // Killed, or closed in good order.
      if (which < 0.9) memory.crashConsumers()
      void current.queue.close(which < 0.9 ? { signal: AbortSignal.abort() } : {})
      current = open()
    }
  }
  for (let rounds = 0; publishing > 0 && rounds < 1_000; rounds++) await clock.advance(120_000)
  await clock.advance(120_000)
  await redrive()
  await clock.advance(120_000)
  await current.queue.close()
  const { depth, delayed } = await publisher.stats()
  history.push({ type: 'drained', left: depth + delayed })
  await publisher.close()
  return { history, overBounds, pending: clock.pending, tookMs: clock.nowMs() - beganMs }
}
