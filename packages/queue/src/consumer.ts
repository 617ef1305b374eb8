import { type Backoff, type Clock, checkInteger, checkNumber, HeadraceError, within } from '@headrace/core'
import { createDeadlines } from './deadlines.ts'
import type { DeadReason, QueueDriver } from './driver.ts'
import type { QueueEvent } from './events.ts'
import { createLanes, type Item, type Stretch } from './lanes.ts'
import { isRejection, type Message } from './message.ts'
import { createRun, type HandlerContext, type Run } from './run.ts'
import { createIntake } from './source.ts'

export interface ConsumeOptions {
  /** Handlers that run at a time; 16. */
  readonly concurrency?: number | undefined
  /** Deliveries of one partition that this consumer holds at a time, waiting ones included; 256. */
  readonly prefetch?: number | undefined
  /** A handler that takes longer is aborted, and unless it succeeds even so the attempt has failed; 30,000. */
  readonly handlerMs?: number | undefined
  /** How long an aborted handler keeps its key and its place before it is given up; 5,000. */
  readonly graceMs?: number | undefined
  /** Deliveries that ended with their process or connection after which a message goes to the dead letters; 20. */
  readonly redeliveriesMax?: number | undefined
  /** How long `close` waits for running handlers; 10,000. */
  readonly drainMs?: number | undefined
  /** The partitions to consume; all by default. */
  readonly partitions?: readonly number[] | undefined
}

export interface BatchOptions extends ConsumeOptions {
  /** Messages in a batch at most; 100. */
  readonly sizeMax?: number | undefined
  /** How long a message waits for company; 0, the default, takes what is there. */
  readonly lingerMs?: number | undefined
}

export interface Consumer extends AsyncDisposable {
  /**
   * Stops taking messages, waits for running handlers at most `drainMs`, and gives back what was not begun. Handlers
   * that still run when the time is over or `signal` fires are aborted; their messages are delivered again.
   * @returns how many handlers were given up.
   */
  close(options?: { readonly signal?: AbortSignal | undefined }): Promise<{ readonly abandoned: number }>
  stats(): ConsumerStats
}

export interface ConsumerStats {
  /** Handlers that run. */
  readonly running: number
  /** Messages held by this consumer, those in handlers included. */
  readonly held: number
  /** Wall clock at which the oldest of them was published. */
  readonly oldestAtMs: number | undefined
}

/** The part of consuming in which one message at a time and batches differ. */
export interface Work<Body> {
  /** What it throws sends the message to the dead letters. */
  readonly decode: (payload: string) => Body | Promise<Body>
  readonly handle: (messages: Message<Body>[], context: HandlerContext) => unknown
  /** One result for each message; undefined where all have succeeded. */
  readonly results: (returned: unknown, count: number) => readonly PromiseSettledResult<unknown>[] | undefined
}

/** What all consumers of a queue share. */
export interface ConsumerContext {
  readonly driver: QueueDriver
  readonly queue: string
  readonly partitions: number
  readonly clock: Clock
  readonly attempts: number
  readonly backoff: Backoff
  readonly reconnect: Backoff
  readonly callMs: number
  readonly emit: ((event: QueueEvent) => void) | undefined
  readonly declared: () => Promise<void>
}

export function createConsumer<Body>(
  context: ConsumerContext,
  work: Work<Body>,
  options: BatchOptions & { readonly sizeMax: number },
): Consumer {
  const { driver, queue, clock, attempts, backoff, reconnect, callMs, emit, declared } = context
  const { concurrency = 16, prefetch = 256, handlerMs = 30_000, graceMs = 5_000, drainMs = 10_000 } = options
  const { redeliveriesMax = 20, sizeMax, lingerMs = 0 } = options
  const { partitions = Array.from({ length: context.partitions }, (_, partition) => partition) } = options
  checkInteger('concurrency', concurrency, { min: 1, max: 10_000 })
  checkInteger('prefetch', prefetch, { min: 1, max: 65_535 })
  checkInteger('sizeMax', sizeMax, { min: 1, max: 65_535 })
  checkInteger('redeliveriesMax', redeliveriesMax, { min: 1 })
  checkNumber('handlerMs', handlerMs, { min: 1 })
  for (const [name, ms] of Object.entries({ graceMs, drainMs, lingerMs })) checkNumber(name, ms, { min: 0 })
  for (const partition of partitions) checkInteger('a partition', partition, { min: 0, max: context.partitions - 1 })
  if (new Set(partitions).size < partitions.length) throw new RangeError('partitions must not name one twice')

  const runs = new Set<Run<Body>>()
  const hurry = new AbortController()
  let closing: Promise<{ abandoned: number }> | undefined
  let draining = false
  let drained: (() => void) | undefined
  let scheduled = false
  let lingered = false
  let cancelLinger: (() => void) | undefined

  // A microtask later, so that deliveries that arrive together can become one batch.
  const lanes = createLanes(() => {
    if (scheduled) return
    scheduled = true
    queueMicrotask(schedule)
  })
  const graces = createDeadlines<Run<Body>>(clock, graceMs, (run) => {
    emit?.({ type: 'abandoned', queue, ids: run.messages.map((message) => message.id) })
    finish(run, undefined, tooLong())
  })
  const deadlines = createDeadlines<Run<Body>>(clock, handlerMs, (run) => {
    graces.add(run)
    run.abort(tooLong())
  })
  const tooLong = () => new HeadraceError('TIMEOUT', `the handler did not end within ${handlerMs} ms`)

  function schedule(): void {
    scheduled = false
    while (!draining && runs.size < concurrency && lanes.ready > 0) {
      if (lingerMs > 0 && !lingered && lanes.ready < sizeMax) {
        cancelLinger ??= clock.after(lingerMs, () => {
          cancelLinger = undefined
          lingered = true
          schedule()
        })
        return
      }
      lingered = false
      cancelLinger?.()
      cancelLinger = undefined
      void start(createRun(lanes.take(sizeMax)))
    }
  }

  async function start(run: Run<Body>): Promise<void> {
    runs.add(run)
    deadlines.add(run)
    try {
      for (const { items } of run.stretches) {
        for (const item of items) {
          const decoding = decode(run, item)
          if (decoding !== undefined) await decoding
        }
      }
      if (run.ended) return
      if (run.items.length === 0) return finish(run, undefined)
      const returned = work.handle(run.messages, run)
      finish(run, work.results(isThenable(returned) ? await returned : returned, run.items.length))
    } catch (error) {
      finish(run, undefined, error ?? new TypeError('the handler threw nothing'))
    }
  }

  function decode(run: Run<Body>, item: Item): Promise<void> | undefined {
    const invalid = (error: unknown) => {
      if (run.ended) return
      run.invalid.add(item)
      bury(item, 'invalid', error)
    }
    try {
      const body = work.decode(item.delivery.message.payload)
      if (body instanceof Promise) return body.then((body) => add(run, item, body)).catch(invalid)
      add(run, item, body)
    } catch (error) {
      invalid(error)
    }
    return undefined
  }

  function add(run: Run<Body>, item: Item, body: Body): void {
    const { id, key, headers, publishedAtMs } = item.delivery.message
    run.items.push(item)
    run.messages.push({ id, key, body, headers, publishedAtMs, attempt: item.delivery.redeliveries + item.attempt })
  }

  /** `thrown` is the failure of all messages, else each has its result. */
  function finish(
    run: Run<Body>,
    results: readonly PromiseSettledResult<unknown>[] | undefined,
    thrown?: unknown,
  ): void {
    if (run.ended) return
    run.ended = true
    runs.delete(run)
    deadlines.delete(run)
    graces.delete(run)
    const failures = new Map<Item, unknown>()
    results?.forEach((result, at) => {
      if (result.status === 'rejected')
        failures.set(run.items[at]!, result.reason ?? new TypeError('rejected with nothing'))
    })
    const failure = thrown === undefined ? (item: Item) => failures.get(item) : () => thrown
    for (const stretch of run.stretches) {
      const back = conclude(stretch, run, failure)
      if (thrown !== undefined && run.items.length > 1) for (const item of back) item.alone = true
    }
    if (runs.size === 0) drained?.()
    if (lanes.ready > 0) schedule()
  }

  /** Settles what is done, and gives the rest back to its lane. */
  function conclude(stretch: Stretch, run: Run<Body>, failure: (item: Item) => unknown): readonly Item[] {
    const back: Item[] = []
    let pauseMs = 0
    for (const item of stretch.items) {
      if (item.source.ended || run.invalid.has(item)) continue
      const error = failure(item)
      // Behind one that failed nothing is done, whatever its handler says: it would have overtaken.
      if (back.length > 0) back.push(item)
      else if (error === undefined) item.source.settle({ tag: item.delivery.tag })
      else if (isRejection(error)) bury(item, 'rejected', error)
      else if (draining) break
      else if (item.attempt >= attempts) bury(item, 'exhausted', error)
      else {
        pauseMs = again(item, error)
        back.push(item)
      }
    }
    if (draining || back.length === 0) lanes.resume(stretch, [])
    else lanes.pause(stretch, back, (over) => clock.after(pauseMs, over))
    return back
  }

  function again(item: Item, error: unknown): number {
    const { id, key } = item.delivery.message
    const delayMs = backoff(item.attempt)
    emit?.({ type: 'retry', queue, id, key, attempt: item.delivery.redeliveries + item.attempt, delayMs, error })
    item.attempt++
    return delayMs
  }

  function bury({ delivery, source, attempt }: Item, reason: DeadReason, error: unknown): void {
    const { id, key } = delivery.message
    const attempts = delivery.redeliveries + attempt
    const dead = { reason, error: String(error).slice(0, 1_000), attempts, deadAtMs: clock.wallMs() }
    source.settle({ tag: delivery.tag, dead }, () =>
      emit?.({ type: 'dead-letter', queue, id, key, reason, attempts, error: dead.error }),
    )
  }

  const intakes = partitions.map((partition) =>
    createIntake(
      driver,
      { queue, partition, credit: prefetch, callMs, backoff: reconnect, clock },
      {
        declared,
        delivery(source, delivery) {
          if (draining) return
          const item: Item = { delivery, source, attempt: 1, alone: false }
          if (delivery.redeliveries < redeliveriesMax) return lanes.add(item)
          bury({ ...item, attempt: 0 }, 'redelivered', `delivered ${delivery.redeliveries} times without an end`)
        },
        subscribed: () => emit?.({ type: 'subscribed', queue, partition }),
        lost: (delayMs, cause) => emit?.({ type: 'lost', queue, partition, delayMs, cause }),
        ended(source, cause) {
          lanes.drop(source)
          for (const run of runs) if (run.items.some((item) => item.source === source)) run.abort(gone(cause))
        },
      },
    ),
  )
  const gone = (cause: unknown) =>
    new HeadraceError('LOST', `the delivery from queue "${queue}" ended before the handler`, { cause })

  async function drain(): Promise<{ abandoned: number }> {
    draining = true
    lanes.drop()
    cancelLinger?.()
    const idle = runs.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => (drained = resolve))
    await within(clock, drainMs, idle, { signal: hurry.signal }).catch(() => {})
    const abandoned = runs.size
    for (const run of runs) {
      run.ended = true
      run.abort(new HeadraceError('CLOSED', `the consumer of queue "${queue}" was closed`))
      deadlines.delete(run)
      graces.delete(run)
      emit?.({ type: 'abandoned', queue, ids: run.messages.map((message) => message.id) })
    }
    runs.clear()
    await Promise.all(intakes.map((intake) => intake.close()))
    return { abandoned }
  }

  async function close({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<{ abandoned: number }> {
    const hasten = () => hurry.abort(signal?.reason)
    if (signal?.aborted) hasten()
    signal?.addEventListener('abort', hasten, { once: true })
    try {
      closing ??= drain()
      return await closing
    } finally {
      signal?.removeEventListener('abort', hasten)
    }
  }

  return {
    close,
    stats() {
      let held = lanes.waiting
      let oldestAtMs = lanes.oldestAtMs
      for (const { messages } of runs) {
        held += messages.length
        for (const { publishedAtMs } of messages) oldestAtMs = Math.min(oldestAtMs ?? publishedAtMs, publishedAtMs)
      }
      return { running: runs.size, held, oldestAtMs }
    },
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value
}
