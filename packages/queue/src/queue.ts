import type { Clock, Observer, Random } from '@headrace/core'
import type { BatchOptions, ConsumeOptions, Consumer } from './consuming/consume-options.ts'
import type { HandlerContext } from './consuming/run.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { ParkedKey } from './driver.ts'
import type { QueueEvent } from './events.ts'
import type { Message, MessageOptions } from './message.ts'
import type { StandardSchema } from './schema.ts'
import type { QueueTracing } from './tracing.ts'

export interface QueueOptions<Body, Sent = Body> {
  /** Independent lines of the queue; a key always goes to the same one. Fixed for the life of the queue; 8. */
  readonly partitions?: number | undefined
  /** Checked when publishing and again when consuming; a handler receives what the schema makes of the body. */
  readonly schema?: StandardSchema<Sent, Body> | undefined
  /** How often a failing message is tried, 5, and the pauses in between: exponential with full jitter, 100 to 10,000. */
  readonly retry?: RetryOptions | undefined
  /**
   * What becomes of a message that has failed at every attempt, or was delivered `redeliveriesMax` times: it goes to the dead
   * letters and its key goes on, or its key is parked: all of it waits, durably, for `unpark` or `skip`. Messages without a
   * key go to the dead letters. The same in all processes of a queue.
   */
  readonly onExhausted?: 'dead-letter' | 'park' | undefined
  /** Keys of a partition that can be parked at a time; over it their messages go to the dead letters; 1,000. */
  readonly parkedKeysMax?: number | undefined
  /** For messages that are published without a `ttlMs` of their own; none by default. */
  readonly ttlMs?: number | undefined
  /** What becomes of an expired message when its turn comes; it goes to the dead letters by default. */
  readonly onExpired?: 'dead-letter' | 'drop' | undefined
  /** Messages stored at most, where the driver can count them; 1,000,000. */
  readonly depthMax?: number | undefined
  /**
   * Over `depthMax` a `publish` is `BUSY`, which is the default; or the oldest message of its partition that no consumer
   * holds goes to the dead letters, which then have a `depthMax` of their own, and over that it is `BUSY`.
   */
  readonly onFull?: 'reject' | 'dead-letter' | undefined
  /** Messages and bytes published by this process and not confirmed yet; 10,000 and 64 MiB. Over it `publish` is `BUSY`. */
  readonly windowMax?: number | undefined
  readonly windowBytesMax?: number | undefined
  /** Payload and headers of one message in bytes; 1 MiB, or what the driver can carry. */
  readonly messageBytesMax?: number | undefined
  /** How long `publish` waits for its confirmation; 10,000. */
  readonly publishMs?: number | undefined
  /** How long any other call of the backend may take; 10,000. */
  readonly callMs?: number | undefined
  /** Requests of this queue object that have no answer yet; 10,000. Over it `request` is `BUSY`. */
  readonly requestsMax?: number | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly observe?: Observer<QueueEvent> | undefined
  /** Spans for what is published and handled: `openTelemetry(api)` of `@headrace/queue/opentelemetry`. */
  readonly tracing?: QueueTracing | undefined
}

export interface RetryOptions {
  readonly attempts?: number | undefined
  readonly delayMinMs?: number | undefined
  readonly delayMaxMs?: number | undefined
}

export interface PublishOptions extends MessageOptions {
  readonly signal?: AbortSignal | undefined
}

export interface RequestOptions extends PublishOptions {
  /** How long to wait for the answer, all attempts of the handler included; 10,000. */
  readonly timeoutMs?: number | undefined
}

export interface NewMessage<Sent> extends MessageOptions {
  readonly body: Sent
}

export interface QueueStats {
  /**
   * Messages that wait for a consumer, and those that consumers of this queue object hold. At least so many where a backend
   * counts messages that travelled together as one.
   */
  readonly depth: number
  /** Messages held by consumers of this queue object. */
  readonly held: number
  readonly delayed: number
  readonly dead: number
  /** Since the oldest message, waiting or held, was published; undefined where there is none, or the driver cannot tell. */
  readonly oldestAgeMs: number | undefined
  /** What this queue object has published and the backend not yet confirmed. */
  readonly unconfirmed: number
}

export interface Queue<Body, Sent = Body> extends AsyncDisposable {
  readonly name: string
  /**
   * Declares the queue. Not needed, but tells at the start what the first use would.
   * @throws HeadraceError `REJECTED` where it exists with other partitions or bounds; `UNAVAILABLE`, `TIMEOUT`.
   */
  open(): Promise<void>
  /**
   * Resolves when the backend has the message, on disk where the driver is durable.
   * @throws HeadraceError `BUSY` (something is full), `REJECTED` (schema, size, backend), `UNAVAILABLE` (not stored),
   * `TIMEOUT` (perhaps stored: publish again under the same `id`), `ABORTED` (perhaps stored, if it was on its way), `CLOSED`.
   */
  publish(body: Sent, options?: PublishOptions): Promise<void>
  /**
   * Publishes in this order. Either all are admitted or, with `BUSY`, `REJECTED` or `CLOSED`, none is sent; and of one key
   * none is stored behind one that is not, so that all of them can be published again without changing their order.
   * @throws the error of `publish` for the first message that failed; its `cause` is an AggregateError with all of them.
   */
  publishAll(
    messages: readonly NewMessage<Sent>[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<void>
  /**
   * Publishes a message and waits for what its handler returns, as JSON carries it. Nobody keeps an answer: one that is lost,
   * with a process or a connection, is had by requesting again under the same `id`, and the message is handled again.
   * @throws what `publish` does, and HeadraceError `TIMEOUT` (perhaps handled, or still to be), `REJECTED` where the message
   * went to the dead letters, `BUSY` over `requestsMax`, `UNSUPPORTED` where the driver has no way back for answers.
   */
  request<Answer = unknown>(body: Sent, options?: RequestOptions): Promise<Answer>
  /** The handler's end settles the message; its error has it tried again in its place; `throw reject(…)` sends it to the dead letters. */
  consume(handler: (message: Message<Body>, context: HandlerContext) => unknown, options?: ConsumeOptions): Consumer
  /**
   * Hands over what waits, in order per key. The handler may answer for each message, as `Promise.allSettled` does; a
   * message that failed is tried again, and with it those behind it of the same key.
   * A batch that throws is tried again one by one; one that throws `reject(…)` goes to the dead letters as a whole.
   */
  consumeBatch(
    handler: (messages: readonly Message<Body>[], context: HandlerContext) => BatchResults | Promise<BatchResults>,
    options?: BatchOptions,
  ): Consumer
  readonly deadLetters: DeadLetters
  /** The keys that are parked, see `onExhausted`. */
  parked(): Promise<readonly ParkedKey[]>
  /**
   * Has the consumer of a parked key try its messages again, from the failed one on; what came meanwhile follows in order.
   * The key is free when the last of them is done, and parked anew where one fails.
   * @returns false where the key is not parked. True when this is stored: a consumer does it when it sees it.
   */
  unpark(key: string): Promise<boolean>
  /** As `unpark`, but the failed message goes to the dead letters first. */
  skip(key: string): Promise<boolean>
  stats(): Promise<QueueStats>
  /** Closes its consumers as `consumer.close` does and waits for what is being published. The driver stays open. */
  close(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

// biome-ignore lint/suspicious/noConfusingVoidType: a handler without an answer has handled all.
export type BatchResults = readonly PromiseSettledResult<unknown>[] | undefined | void
