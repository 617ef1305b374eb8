import { type Backoff, type Clock, within } from '@headrace/core'
import type { Ledger, StoredEvent } from './store.ts'

/** Where events go; a queue of `@headrace/queue` is one. A message with a known `id` may come twice. */
export interface EventSink<Event> {
  publish(body: Event, options: { readonly key: string; readonly id: string }): Promise<void>
}

/** Hands the events of one partition on, in the order of their commits; each stays in the store until the sink has it. */
export interface Relay {
  /** There may be something to hand on. */
  poke(ledger: Ledger): void
  /** Resolves when everything has been handed on, or the relay has stopped. */
  drained(): Promise<void>
  stop(): void
}

export function createRelay<Event>(options: {
  readonly partition: number
  readonly sink: EventSink<Event>
  readonly timeoutMs: number
  readonly backoff: Backoff
  readonly clock: Clock
  readonly published: (events: number) => void
  readonly failed: (error: unknown) => void
}): Relay {
  const { partition, sink, timeoutMs, backoff, clock, published, failed } = options
  const stopped = new AbortController()
  const { signal } = stopped
  const portion = 256
  let poked = false
  let running: PromiseWithResolvers<void> | undefined

  async function run(ledger: Ledger): Promise<void> {
    for (let failures = 0; poked && !signal.aborted; ) {
      try {
        const reading = ledger.outbox(partition, portion)
        const events = await within(clock, timeoutMs, reading, { signal, what: 'reading the outbox' })
        poked = events.length === portion
        if (events.length === 0) continue
        await within(clock, timeoutMs, publishAll(events), { signal, what: 'publishing events' })
        const forgetting = ledger.published(partition, events.at(-1)!.position)
        await within(clock, timeoutMs, forgetting, { signal, what: 'clearing the outbox' })
        published(events.length)
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

  // Keys go side by side. Within a key one waits for the other: were the first of two refused and tried again, the second
  // would have overtaken it.
  async function publishAll(events: readonly StoredEvent[]): Promise<void> {
    const chains = new Map<string, Promise<void>>()
    for (const { id, key, body } of events) {
      const before = chains.get(key) ?? Promise.resolve()
      chains.set(
        key,
        before.then(() => sink.publish(JSON.parse(body) as Event, { key, id })),
      )
    }
    await Promise.all(chains.values())
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
