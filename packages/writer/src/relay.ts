import { type Backoff, type Clock, inOrderPerKey, within } from '@headrace/core'
import type { Ledger, StoredEvent } from './store.ts'

/** Where events go; a queue of `@headrace/queue` is one. A message with a known `id` may come twice. */
export interface EventSink<Event> {
  /** @param options.signal aborts when nobody waits for this attempt any more; there will be another. */
  publish(
    body: Event,
    options: { readonly key: string; readonly id: string; readonly signal: AbortSignal },
  ): Promise<void>
  /**
   * Many at once, where the sink can: much faster for a key with many events, which otherwise go one after the other. Of one key,
   * none may be taken behind one that is not; where it rejects they come again, all of them and one by one.
   */
  publishAll?(
    messages: readonly { readonly body: Event; readonly key: string; readonly id: string }[],
    options: { readonly signal: AbortSignal },
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

/** How many events from the first on the sink has taken, and why not all. */
interface Taken {
  readonly done: number
  readonly error?: unknown
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
  /** Not after that has failed, until the one that is to blame, or all, have been taken one by one. */
  let together = sink.publishAll !== undefined
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
        const { done, error } = await (together ? publishTogether(events) : publishEach(events))
        together = error === undefined && sink.publishAll !== undefined
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

  async function attempt(what: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const attempt = new AbortController()
    try {
      await within(clock, timeoutMs, work(attempt.signal), { signal, what })
    } catch (error) {
      attempt.abort(error)
      throw error
    }
  }

  async function publishTogether(events: readonly StoredEvent[]): Promise<Taken> {
    try {
      const messages = events.map(({ id, key, body }) => ({ body: JSON.parse(body) as Event, key, id }))
      await attempt('publishing events', (signal) => sink.publishAll!(messages, { signal }))
      return { done: events.length }
    } catch (error) {
      return { done: 0, error }
    }
  }

  async function publishEach(events: readonly StoredEvent[]): Promise<Taken> {
    let error: unknown
    const publish = async ({ id, key, body }: StoredEvent): Promise<boolean> => {
      try {
        await attempt('publishing an event', (signal) => sink.publish(JSON.parse(body) as Event, { key, id, signal }))
        return true
      } catch (failure) {
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
