import {
  abortedError,
  type Clock,
  checkNumber,
  cryptoRandom,
  exponentialBackoff,
  guardObserver,
  inOrderPerKey,
  isHeadraceError,
  type Observer,
  type Random,
  systemClock,
  within,
} from '@headrace/core'
import type { Outbox } from '../outbox.ts'
import { sequenceHeaders } from '../sequence.ts'
import type { Sql } from '../sql.ts'
import { forget, portionMax, readWaiting, type Waiting } from './table.ts'

/** Where the messages go; a `Queue` is one. */
export interface OutboxSink {
  publish(body: unknown, options: OutboxMessage & { readonly signal: AbortSignal }): Promise<void>
  /**
   * Many at once, where the sink can: much faster for a key with many messages, which otherwise go one after the other. Of one
   * key, none may be stored behind one that is not; where it rejects they come again, all of them and one by one.
   */
  publishAll?(
    // biome-ignore lint/suspicious/noExplicitAny: queues of all bodies are sinks.
    messages: readonly (OutboxMessage & { readonly body: any })[],
    options: { readonly signal: AbortSignal },
  ): Promise<void>
}

export interface OutboxMessage {
  readonly key?: string | undefined
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
}

/** What keeps several relays apart; the `Locks` of `@headrace/lock` are it. */
export interface RelayLocks {
  acquire(key: string, options: { readonly signal: AbortSignal; readonly waitMs: number }): Promise<RelayLease>
}

export interface RelayLease {
  readonly held: boolean
  readonly signal: AbortSignal
  release(): Promise<unknown>
}

export interface OutboxRelayOptions {
  readonly outbox: Outbox
  /** A connection of its own to the same database, without a transaction. */
  readonly sql: Sql
  readonly queue: OutboxSink
  /** Needed where several relays of one outbox may run; the others wait for the end of the one that works. */
  readonly locks?: RelayLocks | undefined
  /** How long a message that nobody announced with `poke` waits at most; 1,000. */
  readonly pollMs?: number | undefined
  /** For each call to the database, and each message; 10,000. */
  readonly callMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly observe?: Observer<OutboxEvent> | undefined
}

export type OutboxEvent =
  /** This relay is the one that works. */
  | { readonly type: 'began'; readonly outbox: string }
  /** Messages are published, and no longer in the outbox. */
  | { readonly type: 'published'; readonly outbox: string; readonly messages: number }
  /** The database, the lock or the queue failed; it is tried again after `delayMs`, and each key waits for its first message. */
  | { readonly type: 'failed'; readonly outbox: string; readonly delayMs: number; readonly error: unknown }

/**
 * Publishes what an outbox holds: at least once, and in order per key. A message that cannot be published holds up its key
 * and no other, until it can be or is deleted from the outbox.
 */
export interface OutboxRelay extends AsyncDisposable {
  /** There may be something to publish: call it after a commit. */
  poke(): void
  /**
   * Resolves when all that was in the outbox is published, or the relay is closed; while the queue is away that takes as long.
   * @throws HeadraceError `ABORTED`.
   */
  drained(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Waits for what is being published, at most `callMs` and once more to note it. */
  close(): Promise<void>
}

// Keys that failed in one pass, after which it is the queue that fails.
const stuckMax = portionMax

// How long one wait of a relay for its turn is; then it waits again.
const standByMs = 30_000

export function createOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  const { outbox, sql, queue, locks, pollMs = 1_000, callMs = 10_000 } = options
  const { clock = systemClock, random = cryptoRandom } = options
  checkNumber('pollMs', pollMs, { min: 1 })
  checkNumber('callMs', callMs, { min: 1 })
  const emit = guardObserver(options.observe)
  const backoff = exponentialBackoff({ delayMinMs: 50, delayMaxMs: 10_000, random })
  const { name } = outbox
  const waiters = new Set<() => void>()
  const closing = new AbortController()
  let poked = true
  /** Not after that has failed, until a pass has published all one by one. */
  let together = queue.publishAll !== undefined
  let wake: AbortController | undefined
  const ended = work()

  async function work(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; ) {
      try {
        const lease = await lead()
        if (!lease) continue
        try {
          emit?.({ type: 'began', outbox: name })
          while (!closing.signal.aborted && lease.held) {
            await pass(lease)
            failures = 0
            if (poked || closing.signal.aborted || !lease.held) continue
            tellWaiters()
            await rest()
          }
        } finally {
          await within(clock, callMs, lease.release()).catch(() => {})
        }
      } catch (error) {
        if (closing.signal.aborted) break
        const delayMs = backoff(++failures)
        emit?.({ type: 'failed', outbox: name, delayMs, error })
        await clock.sleep(delayMs, closing.signal).catch(() => {})
      }
    }
    tellWaiters()
  }

  function tellWaiters(): void {
    for (const resolve of waiters) resolve()
    waiters.clear()
  }

  /** Undefined while another relay works. */
  async function lead(): Promise<RelayLease | undefined> {
    if (!locks) return alone
    try {
      const { signal } = closing
      const acquiring = locks.acquire(`headrace/outbox/${name}`, { signal, waitMs: standByMs })
      const onLate = (late: RelayLease) => late.release()
      return await within(clock, standByMs + callMs, acquiring, { signal, onLate, what: 'acquiring the outbox' })
    } catch (error) {
      if (!isHeadraceError(error, 'TIMEOUT')) throw error
      // At once again would be a busy loop where a lock does not wait.
      await clock.sleep(pollMs, closing.signal)
      return undefined
    }
  }

  /** Publishes from the oldest message to the youngest. @throws why not all, after all that could be. */
  async function pass(lease: RelayLease): Promise<void> {
    const stuck = new Set<string>()
    let failed = 0
    let error: unknown
    poked = false
    for (let position = 0; failed < stuckMax && !closing.signal.aborted && lease.held; ) {
      const messages = await call(lease, 'reading the outbox', readWaiting(sql, name, position, [...stuck]))
      if (messages.length === 0) break
      const publishes = (message: Waiting) =>
        publish(message, lease).catch((failure: unknown) => {
          error ??= failure
          return false
        })
      const done = together
        ? await publishTogether(messages, lease)
        : await inOrderPerKey(messages, ({ key }) => key, publishes)
      const published = messages.filter((_, at) => done[at])
      if (published.length > 0) {
        await call(
          lease,
          'clearing the outbox',
          forget(
            sql,
            name,
            published.map((message) => message.position),
          ),
        )
        emit?.({ type: 'published', outbox: name, messages: published.length })
      }
      for (const { key } of messages.filter((_, at) => !done[at])) {
        // Behind the first of its key that failed there was no attempt.
        if (key === undefined || !stuck.has(key)) failed++
        if (key !== undefined) stuck.add(key)
      }
      if (messages.length < portionMax) break
      position = messages.at(-1)!.position
    }
    if (error !== undefined) throw error
    together = queue.publishAll !== undefined
  }

  /** @returns for each whether it is published; all or none. */
  async function publishTogether(messages: readonly Waiting[], lease: RelayLease): Promise<boolean[]> {
    if (closing.signal.aborted || !lease.held) return messages.map(() => false)
    together = false
    await attempt(lease, 'publishing messages', (signal) => queue.publishAll!(messages.map(sent), { signal }))
    together = true
    return messages.map(() => true)
  }

  /** False where the message is left to whoever works next. */
  async function publish(message: Waiting, lease: RelayLease): Promise<boolean> {
    if (closing.signal.aborted || !lease.held) return false
    const { body, ...options } = sent(message)
    await attempt(lease, `publishing message "${message.id}"`, (signal) => queue.publish(body, { ...options, signal }))
    return true
  }

  function sent({ key, id, sequence, payload, headers }: Waiting): OutboxMessage & { readonly body: unknown } {
    const own = JSON.parse(headers) as Record<string, string>
    const all = sequence === undefined ? own : { ...own, ...sequenceHeaders(name, sequence) }
    return { body: JSON.parse(payload), key, id, headers: all }
  }

  async function attempt(lease: RelayLease, what: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const attempt = new AbortController()
    try {
      await call(lease, what, work(attempt.signal))
    } catch (error) {
      attempt.abort(error)
      throw error
    }
  }

  const call = <T>({ signal }: RelayLease, what: string, work: Promise<T>) =>
    within(clock, callMs, work, { signal, what })

  async function rest(): Promise<void> {
    wake = new AbortController()
    await clock.sleep(pollMs, wake.signal).catch(() => {})
    wake = undefined
  }

  function poke(): void {
    poked = true
    wake?.abort()
  }

  async function close(): Promise<void> {
    closing.abort()
    wake?.abort()
    await ended
  }

  return {
    poke,
    drained({ signal } = {}) {
      if (closing.signal.aborted) return ended
      return new Promise((resolve, reject) => {
        const done = () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        }
        const abort = () => {
          waiters.delete(done)
          reject(abortedError(signal!, 'waiting for the outbox to be empty'))
        }
        if (signal?.aborted) return abort()
        signal?.addEventListener('abort', abort, { once: true })
        waiters.add(done)
        poke()
      })
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

const alone: RelayLease = { held: true, signal: new AbortController().signal, release: async () => {} }
