import { type Backoff, type Clock, inOrderPerKey, within } from '@headrace/core'
import type { Ledger, StoredEvent } from './store.ts'

/** Where events go; a queue of `@headrace/queue` is one. A message with a known `id` may come twice. */
export interface EventSink<Event> {
  /** @param options.signal aborts when nobody waits for this attempt any more; there will be another. */
  publish(
    body: Event,
    options: { readonly key: string; readonly id: string; readonly signal: AbortSignal },
  ): Promise<void>
}

/** Hands the events of one partition on, in the order of their commits; each stays in the store until the sink has it. */
export interface Relay {
  /** There may be something to hand on. */
  poke(ledger: Ledger): void
  /** Resolves when everything has been handed on, or the relay has stopped. */
  drained(): Promise<void>
  stop(): void
}

const portion = 256

export function createRelay<Event>(options: {
  readonly partition: number
  readonly sink: EventSink<Event>
  /** For each call to the store and each event. */
  readonly timeoutMs: number
  readonly backoff: Backoff
  readonly clock: Clock
  readonly published: (events: number) => void
  readonly failed: (error: unknown) => void
}): Relay {
  const { partition, sink, timeoutMs, backoff, clock, published, failed } = options
  const stopped = new AbortController()
  const { signal } = stopped
  let poked = false
  let running: PromiseWithResolvers<void> | undefined

  async function run(ledger: Ledger): Promise<void> {
    for (let failures = 0; poked && !signal.aborted; ) {
      try {
        // Before it reads: what is committed while it does may be missing from the answer.
        poked = false
        const reading = ledger.outbox(partition, portion)
        const events = await within(clock, timeoutMs, reading, { signal, what: 'reading the outbox' })
        if (events.length === portion) poked = true
        if (events.length === 0) continue
        const { done, error } = await publishAll(events)
        if (done > 0) {
          const forgetting = ledger.published(partition, events[done - 1]!.position)
          await within(clock, timeoutMs, forgetting, { signal, what: 'clearing the outbox' })
          published(done)
        }
        if (done < events.length) throw error
        failures = 0
      } catch (error) {
        if (signal.aborted) break
        poked = true
        failed(error)
        await clock.sleep(backoff(++failures), signal).catch(() => {})
      }
    }
    running?.resolve()
    running = undefined
  }

  /** How many events from the first on the sink has taken, and why not all. */
  async function publishAll(events: readonly StoredEvent[]): Promise<{ done: number; error?: unknown }> {
    let error: unknown
    const publish = async ({ id, key, body }: StoredEvent): Promise<boolean> => {
      const attempt = new AbortController()
      try {
        const work = sink.publish(JSON.parse(body) as Event, { key, id, signal: attempt.signal })
        await within(clock, timeoutMs, work, { signal, what: 'publishing an event' })
        return true
      } catch (failure) {
        attempt.abort(failure)
        error ??= failure
        return false
      }
    }
    // One after the other within a key: were the first of two refused and tried again, the second would have overtaken it.
    const taken = await inOrderPerKey(events, ({ key }) => key, publish)
    const firstLeft = taken.indexOf(false)
    return { done: firstLeft === -1 ? events.length : firstLeft, error }
  }

  return {
    poke(ledger) {
      poked = true
      if (running) return
      running = Promise.withResolvers()
      void run(ledger)
    },
    async drained() {
      await running?.promise
    },
    stop() {
      stopped.abort()
    },
  }
}
