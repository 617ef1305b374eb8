import { HeadraceError, within } from '@headrace/core'
import { createChain } from '../chain.ts'
import { createDeadlines } from '../deadlines.ts'
import { visibleHeaders } from '../own-headers.ts'
import { isThenable } from '../thenable.ts'
import { createAdaptive } from './adaptive.ts'
import { createArrivals } from './arrivals.ts'
import { createCare } from './care.ts'
import { createConclude } from './conclude.ts'
import { type BatchOptions, type Consumer, checkedOptions } from './consume-options.ts'
import { failed } from './failures.ts'
import { createLanes, type Item } from './lanes.ts'
import { createLinger } from './linger.ts'
import { Run } from './run.ts'
import { createIntake, type Source } from './source.ts'
import { createVerdicts } from './verdicts.ts'
import type { ConsumerContext, Work } from './work.ts'

export function createConsumer<Body>(context: ConsumerContext, work: Work<Body>, options: BatchOptions): Consumer {
  const { driver, queue, clock, reconnect, callMs, emit, declared, undeclared, answers } = context
  const checked = checkedOptions(options, context.partitions)
  const { prefetch, handlerMs, graceMs, drainMs } = checked
  const { redeliveriesMax, sizeMax, lingerMs, partitions, priorityAgeMs } = checked

  const runs = createChain<Run<Body>>()
  const adaptive = checked.concurrency === 'auto' ? createAdaptive(checked.concurrencyMax) : undefined
  const fixed = checked.concurrency === 'auto' ? 0 : checked.concurrency
  const hurry = new AbortController()
  let closing: Promise<{ abandoned: number }> | undefined
  let draining = false
  let paused = false
  let drained: (() => void) | undefined
  let scheduled = false
  let starting = false

  // A microtask later, so that deliveries that arrive together can become one batch.
  const wake = () => {
    if (scheduled) return
    scheduled = true
    queueMicrotask(schedule)
  }
  const care = createCare(wake)
  const lanes = createLanes(wake, clock, priorityAgeMs)
  const verdicts = createVerdicts({ ...context, care })
  const stopping = () => draining
  const conclude = createConclude({ ...context, lanes, verdicts, care, stopping })
  const arrivals = createArrivals({ ...context, windowMax: prefetch, redeliveriesMax, lanes, verdicts, stopping })
  const linger = createLinger(clock, lingerMs, sizeMax, schedule)
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
    // A handler that answers at once ends inside the loop, which then goes on by itself: no recursion.
    if (starting) return
    starting = true
    while (
      !draining &&
      !paused &&
      runs.size < (adaptive?.limit ?? fixed) &&
      lanes.ready > 0 &&
      !linger.for(lanes.ready)
    ) {
      if (care.taken || (runs.size > 0 && lanes.nextIsCareful())) break
      start(new Run(lanes.take(sizeMax)))
    }
    starting = false
  }

  // Not async, nor the next: most bodies and many handlers are done at once, and a promise for each costs a tenth of the whole.
  function start(run: Run<Body>): void {
    run.place = runs.add(run)
    if (adaptive) run.startedMs = clock.nowMs()
    const items = run.stretches.length === 1 ? run.stretches[0]!.items : run.stretches.flatMap((it) => it.items)
    const first = items[0]!
    care.take(first)
    if (first.attempt === 0) return void finish(run, undefined, tooOften(first))
    for (let at = 0; at < items.length; at++) {
      const decoding = decode(run, items[at]!)
      if (decoding !== undefined) return void decodeRest(run, decoding, items.slice(at + 1)).then(() => handle(run))
    }
    handle(run)
  }

  async function decodeRest(run: Run<Body>, first: Promise<void>, rest: readonly Item[]): Promise<void> {
    await timed(run, first)
    for (const item of rest) await decode(run, item)
  }

  function handle(run: Run<Body>): void {
    if (run.ended) return
    try {
      const returned = run.items.length === 0 ? undefined : work.handle(run.messages, run)
      if (isThenable(returned)) {
        const ended = Promise.resolve(timed(run, returned)).then((later) => end(run, later))
        ended.catch((error: unknown) => fail(run, error))
      } else end(run, returned)
    } catch (error) {
      fail(run, error)
    }
  }

  function end(run: Run<Body>, returned: unknown): void {
    const results = work.results(returned, run.items.length)
    answers?.note(run.items, results, returned)
    finish(run, results)
  }

  const fail = (run: Run<Body>, error: unknown) =>
    finish(run, undefined, error ?? new TypeError('the handler threw nothing'))

  // What answers at once cannot be late, and needs no timer.
  function timed<T>(run: Run<Body>, work: PromiseLike<T>): PromiseLike<T> {
    if (!run.timed) deadlines.add(run)
    run.timed = true
    return work
  }

  function decode(run: Run<Body>, item: Item): Promise<void> | undefined {
    if (item.expiresAtMs !== undefined && item.expiresAtMs <= clock.wallMs()) {
      leaveOut(run, item)
      verdicts.expire(item)
      return undefined
    }
    try {
      const body = work.decode(item.delivery.message.payload)
      if (body instanceof Promise) {
        return body.then((body) => add(run, item, body)).catch((error: unknown) => invalid(run, item, error))
      }
      add(run, item, body)
    } catch (error) {
      invalid(run, item, error)
    }
    return undefined
  }

  function invalid(run: Run<Body>, item: Item, error: unknown): void {
    if (run.ended) return
    leaveOut(run, item)
    verdicts.bury(item, 'invalid', error)
  }

  function leaveOut(run: Run<Body>, item: Item): void {
    run.leftOut ??= new Set()
    run.leftOut.add(item)
  }

  function add(run: Run<Body>, item: Item, body: Body): void {
    const { id, key, publishedAtMs } = item.delivery.message
    const headers = visibleHeaders(item.delivery.message.headers)
    run.add(item, { id, key, body, headers, publishedAtMs, attempt: item.delivery.redeliveries + item.attempt })
  }

  /** `thrown` is the failure of all messages, else each has its result. */
  function finish(
    run: Run<Body>,
    results: readonly PromiseSettledResult<unknown>[] | undefined,
    thrown?: unknown,
  ): void {
    if (run.ended) return
    run.ended = true
    adaptive?.ended(clock.nowMs() - run.startedMs, runs.size)
    if (run.place) runs.remove(run.place)
    if (run.timed) {
      deadlines.delete(run)
      graces.delete(run)
    }
    const failures = results?.some(({ status }) => status === 'rejected') ? failed(run.items, results) : undefined
    for (const stretch of run.stretches) {
      const back = conclude(stretch, run.leftOut, failures, thrown)
      if (thrown !== undefined && run.items.length > 1) for (const item of back) item.alone = true
    }
    if (runs.size === 0) drained?.()
    schedule()
  }

  const tooOften = ({ delivery }: Item) => `delivered ${delivery.redeliveries} times without an end`

  const intakes = partitions.map((partition) =>
    createIntake(
      driver,
      { queue, partition, credit: prefetch, redeliveriesMax, callMs, backoff: reconnect, clock },
      {
        declared,
        opened: arrivals,
        subscribed: () => emit?.({ type: 'subscribed', queue, partition }),
        lost(delayMs, cause) {
          undeclared()
          emit?.({ type: 'lost', queue, partition, delayMs, cause })
        },
        ended(source, cause) {
          lanes.drop((item) => item.source === source)
          care.ended(source)
          for (const run of runs.items()) if (itemsOf(run, source).length > 0) run.abort(gone(cause))
        },
      },
    ),
  )
  const itemsOf = ({ stretches }: Run<Body>, source: Source) =>
    stretches.flatMap(({ items }) => items.filter((item) => item.source === source))
  const runningOf = (source: Source) =>
    [...runs.items()].flatMap((run) => itemsOf(run, source).map(({ delivery }) => delivery.tag))
  const gone = (cause: unknown) =>
    new HeadraceError('LOST', `the delivery from queue "${queue}" ended before the handler`, { cause })

  /** Handles what would come again with messages that are settled already; what else waits is given back. */
  async function finishBegun(begun: readonly Promise<{ readonly done: Promise<void> }>[], leftMs: () => number) {
    const { signal } = hurry
    paused = true
    const finishing = await within(clock, leftMs(), Promise.all(begun), { signal })
    lanes.drop(({ source, delivery }) => !source.keeps(delivery.tag))
    paused = false
    schedule()
    await within(clock, leftMs(), Promise.all(finishing.map(({ done }) => done)), { signal })
  }

  async function drain(): Promise<{ abandoned: number }> {
    const endMs = clock.nowMs() + drainMs
    const leftMs = () => Math.max(0, endMs - clock.nowMs())
    const begun = intakes.flatMap((intake) => intake.finish(runningOf) ?? [])
    if (begun.length > 0) await finishBegun(begun, leftMs).catch(() => {})
    draining = true
    lanes.drop()
    linger.stop()
    const idle = runs.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => (drained = resolve))
    await within(clock, leftMs(), idle, { signal: hurry.signal }).catch(() => {})
    const abandoned = runs.size
    for (const run of runs.items()) {
      run.ended = true
      runs.remove(run.place!)
      run.abort(new HeadraceError('CLOSED', `the consumer of queue "${queue}" was closed`))
      deadlines.delete(run)
      graces.delete(run)
      emit?.({ type: 'abandoned', queue, ids: run.messages.map((message) => message.id) })
    }
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
      let held = lanes.waiting()
      let oldestAtMs = lanes.oldestAtMs()
      for (const { messages } of runs.items()) {
        held += messages.length
        for (const { publishedAtMs } of messages) oldestAtMs = Math.min(oldestAtMs ?? publishedAtMs, publishedAtMs)
      }
      return { running: runs.size, concurrency: adaptive?.limit ?? fixed, held, oldestAtMs }
    },
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}
