import { type Backoff, type Clock, throwIfAborted, within } from '@headrace/core'
import type { Delivery, Finishing, QueueDriver, Settlement, Subscription } from '../driver.ts'
import { type Batched, createBatches } from '../publishing/batches.ts'

/** One subscription to one partition, from its beginning to its end. */
export interface Source {
  /** Deliveries of it are no longer ours: what is done with them cannot be settled, and they come again. */
  readonly ended: boolean
  /** Whether others that are settled would come again without it; while the consumer closes. */
  keeps(tag: number): boolean
  /** Resolves `settled` when the backend has it. */
  settle(settlement: Settlement, settled?: () => void): void
  /** The oldest parked messages of a key; none where the subscription ends over it. */
  unpark(key: string, max: number): Promise<readonly Delivery[]>
}

export interface Intake {
  /**
   * Subscribes no more, and lets come only what belongs to messages that are settled or `running`.
   * @returns when there is none of it left; undefined where messages do not belong together.
   */
  finish(running: (source: Source) => readonly number[]): Promise<{ readonly done: Promise<void> }> | undefined
  /** Waits for settlements under way, then gives back whatever is unsettled. */
  close(): Promise<void>
}

export interface IntakeOptions {
  readonly queue: string
  readonly partition: number
  readonly credit: number
  readonly redeliveriesMax: number
  readonly callMs: number
  readonly backoff: Backoff
  readonly clock: Clock
}

/** Keeps one partition subscribed, also when the connection goes and comes. */
export function createIntake(
  driver: QueueDriver,
  options: IntakeOptions,
  hooks: {
    declared(): Promise<void>
    /** Says where what comes from `source` goes. */
    opened(source: Source): {
      delivery(delivery: Delivery): void
      /** Before the first delivery, where keys are parked. */
      parked(keys: readonly string[]): void
    }
    subscribed(): void
    /** The deliveries of `source` are void from now on. */
    ended(source: Source, cause: unknown): void
    /** The subscription ended or could not be made. */
    lost(delayMs: number, cause: unknown): void
  },
): Intake {
  const { queue, partition, credit, redeliveriesMax, callMs, backoff, clock } = options
  const stop = new AbortController()
  let current: OpenSource | undefined
  let failures = 0
  const ended = keepSubscribed()

  async function keepSubscribed(): Promise<void> {
    while (!stop.signal.aborted) {
      const cause = await subscribe().catch((error: unknown) => error)
      if (stop.signal.aborted) return
      const delayMs = backoff(++failures)
      hooks.lost(delayMs, cause)
      await clock.sleep(delayMs, stop.signal).catch(() => {})
    }
  }

  /** Resolves with the cause when the subscription is lost; rejects where it cannot be made. */
  async function subscribe(): Promise<unknown> {
    await hooks.declared()
    throwIfAborted(stop.signal)
    return await new Promise<unknown>((resolve, fail) => {
      const lose = (cause: unknown) => {
        stop.signal.removeEventListener('abort', stopped)
        resolve(cause)
      }
      const stopped = () => lose(undefined)
      stop.signal.addEventListener('abort', stopped)
      const source = openSource(lose)
      current = source
      const arrivals = hooks.opened(source)
      const subscriber = {
        credit,
        redeliveriesMax,
        onDelivery(delivery: Delivery) {
          if (source.ended) return
          failures = 0
          arrivals.delivery(delivery)
        },
        onParked(keys: readonly string[]) {
          if (!source.ended) arrivals.parked(keys)
        },
        onLost: source.end,
      }
      const subscribing = driver.subscribe(queue, partition, subscriber)
      const onLate = (late: Subscription) => void late.close().catch(() => {})
      within(clock, callMs, subscribing, { signal: stop.signal, onLate, what: 'the subscription' }).then(
        (subscription) => {
          source.opened(subscription)
          if (!source.ended) hooks.subscribed()
        },
        (error: unknown) => {
          fail(error)
          source.end(error)
        },
      )
    })
  }

  function openSource(lose: (cause: unknown) => void): OpenSource {
    let subscription: Subscription | undefined
    let opened: (subscription: Subscription) => void
    const subscribed = new Promise<Subscription>((resolve) => {
      opened = resolve
    })
    const whenIdle: (() => void)[] = []
    const idle = () => (unsettled === 0 ? Promise.resolve() : new Promise<void>((resolve) => whenIdle.push(resolve)))
    let finishing: Finishing | undefined
    let unsettled = 0
    const batches = createBatches<Unsettled>({
      sizeMax: 1_000,
      inFlightMax: 1,
      async send(items, over) {
        try {
          if (source.ended) return
          const work = (subscription ?? (await subscribed)).settle(items)
          await within(clock, callMs, work, { what: 'settling' })
          for (const item of items) item.settled?.()
        } catch (error) {
          fail(error)
        } finally {
          unsettled -= items.length
          if (unsettled === 0) for (const wake of whenIdle.splice(0)) wake()
          over()
        }
      },
    })
    // Unsettled messages only come again when their subscription ends, so it ends.
    function fail(error: unknown): void {
      const failed = subscription
      source.end(error)
      void failed?.close().catch(() => {})
    }
    // No getter: see `Chain`.
    const source: OpenSource = {
      ended: false,
      settle({ tag, dead, park }, settled) {
        if (source.ended) return
        unsettled++
        batches.add({ tag, dead, park, settled, place: -1 })
      },
      async unpark(key, max) {
        try {
          const made = subscription ?? (await subscribed)
          if (!made.unpark) throw new Error('the driver does not unpark')
          return await within(clock, callMs, made.unpark(key, max), { what: `unparking key "${key}"` })
        } catch (error) {
          fail(error)
          return []
        }
      },
      keeps: (tag) => finishing?.keeps(tag) ?? false,
      finish(running) {
        if (source.ended || !subscription?.finish) return undefined
        const { finish } = subscription
        // What is being settled counts as settled only then.
        return within(clock, callMs, idle()).then(
          () => {
            finishing = finish(running(source))
            return finishing
          },
          () => ({ done: Promise.resolve() }),
        )
      },
      opened(made) {
        subscription = made
        opened(made)
      },
      end(cause) {
        if (source.ended) return
        source.ended = true
        hooks.ended(source, cause)
        lose(cause)
      },
      async close() {
        if (!source.ended) await within(clock, callMs, idle()).catch(() => {})
        source.ended = true
        if (subscription) await within(clock, callMs, subscription.close()).catch(() => {})
      },
    }
    return source
  }

  return {
    finish(running) {
      stop.abort()
      return current?.finish(running)
    },
    async close() {
      stop.abort()
      await ended
      await current?.close()
    },
  }
}

interface Unsettled extends Settlement, Batched {
  readonly settled: (() => void) | undefined
}

interface OpenSource extends Source {
  ended: boolean
  finish: Intake['finish']
  opened(subscription: Subscription): void
  end(cause: unknown): void
  close(): Promise<void>
}
