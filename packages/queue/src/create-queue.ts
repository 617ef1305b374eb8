import { checkFunction, exponentialBackoff, guardObserver, HeadraceError, within } from '@headrace/core'
import { backendCall } from './backend.ts'
import type { Consumer } from './consuming/consume-options.ts'
import { createConsumer } from './consuming/consumer.ts'
import type { HandlerContext } from './consuming/run.ts'
import type { ConsumerContext } from './consuming/work.ts'
import { createDeadLetters } from './dead-letters.ts'
import type { QueueDriver } from './driver.ts'
import type { Message } from './message.ts'
import { createParkedKeys } from './parking/parked-keys.ts'
import { createComposer } from './publishing/compose.ts'
import { createPublisher } from './publishing/publisher.ts'
import type { PublishOptions, Queue, QueueOptions, RequestOptions } from './queue.ts'
import { checkedQueueOptions } from './queue-options.ts'
import { createAnswers } from './requests/replies.ts'
import { createRequests } from './requests/requests.ts'
import { accepted, type StandardSchema } from './schema.ts'
import { createTraces } from './tracing.ts'

/** @param name 1 to 200 bytes; with the driver it says which queue this is, in every process. */
export function createQueue<Body, Sent = Body>(
  driver: QueueDriver,
  name: string,
  options: QueueOptions<Body, Sent> = {},
): Queue<Body, Sent> {
  const checked = checkedQueueOptions(driver, name, options)
  const { partitions, schema, depthMax, windowMax, windowBytesMax, publishMs, callMs, clock, random } = checked
  const { onExhausted, onExpired, onFull, parkedKeysMax, requestsMax, tracing } = checked
  const { attempts, delayMinMs, delayMaxMs } = checked.retry

  const emit = guardObserver(checked.observe)
  const consumers = new Set<Consumer>()
  const compose = createComposer(driver, checked)
  let closed = false
  let declaring: Promise<void> | undefined
  let warned = false

  async function declare(): Promise<void> {
    const differences = await backendCall(
      clock,
      callMs,
      `declaring queue "${name}"`,
      driver.declare({ name, partitions, depthMax, park: onExhausted === 'park', onFull }),
    )
    if (differences.length === 0) return
    const all = differences.map(({ what, wanted, found = 'something else' }) => `${what} is ${found}, not ${wanted}`)
    const error = new HeadraceError('REJECTED', `queue "${name}" exists and is different: ${all.join('; ')}`)
    // A process that only consumes would try for ever, and nobody would be told.
    if (!warned) process.emitWarning(error.message, { code: 'HEADRACE_QUEUE' })
    warned = true
    throw error
  }
  // Kept once it has succeeded; a failure is for those who wait, and the next call tries again.
  const declared = () => {
    declaring ??= declare().catch((error: unknown) => {
      declaring = undefined
      throw error
    })
    return declaring
  }
  // Somebody may have deleted it, or the backend has lost its data: then the next call makes it again.
  const undeclared = () => {
    declaring = undefined
  }
  const traces = tracing && createTraces(tracing, driver.name, name)
  const untraced = createPublisher(
    driver,
    name,
    clock,
    { windowMax, windowBytesMax, publishMs },
    {
      declared,
      refused: undeclared,
      busy: (full) => emit?.({ type: 'busy', queue: name, full }),
    },
  )
  const publisher = traces?.publisher(untraced) ?? untraced
  const { replies } = driver
  const requests = replies && createRequests(replies, { clock, callMs, requestsMax })

  const context: ConsumerContext = {
    driver,
    queue: name,
    partitions,
    clock,
    attempts,
    onExhausted,
    onExpired,
    parkedKeysMax,
    backoff: exponentialBackoff({ delayMinMs, delayMaxMs, random }),
    reconnect: exponentialBackoff({ delayMinMs: 50, delayMaxMs: 5_000, random }),
    callMs,
    emit,
    answers: replies && createAnswers(replies, checked),
    declared,
    undeclared,
  }
  const decode = (payload: string): Body | Promise<Body> => {
    const body = JSON.parse(payload) as Body
    if (!schema) return body
    const result = schema['~standard'].validate(body)
    return result instanceof Promise ? result.then(accepted) : accepted(result)
  }
  const checkOpen = () => {
    if (closed) throw new HeadraceError('CLOSED', `queue "${name}" is closed`)
  }
  const track = (consumer: Consumer): Consumer => {
    consumers.add(consumer)
    const close: Consumer['close'] = async (options) => {
      const report = await consumer.close(options)
      consumers.delete(consumer)
      return report
    }
    return {
      stats: consumer.stats,
      close,
      async [Symbol.asyncDispose]() {
        await close()
      },
    }
  }

  return {
    name,
    async open() {
      checkOpen()
      await declared()
    },
    publish(body, options = {}) {
      try {
        checkOpen()
        if (schema) return publishValid(schema, body, options)
        return publisher.publish(compose.message(body, options), options.signal)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async request<Answer>(body: Sent, { timeoutMs, signal, ...options }: RequestOptions = {}) {
      checkOpen()
      if (!requests) throw new HeadraceError('UNSUPPORTED', `${driver.name} has no way back for answers`)
      if (schema) accepted(await schema['~standard'].validate(body))
      const made = compose.message(body, options)
      const answer = await requests.request(`request "${made.id}"`, { timeoutMs, signal }, (headers, over) =>
        publisher.publish({ ...made, headers: { ...made.headers, ...headers } }, over),
      )
      return answer as Answer
    },
    async publishAll(messages, { signal } = {}) {
      checkOpen()
      if (schema) for (const { body } of messages) accepted(await schema['~standard'].validate(body))
      const results = await Promise.allSettled(
        publisher.publishAll(
          messages.map(({ body, ...options }) => compose.message(body, options)),
          signal,
        ),
      )
      const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as HeadraceError] : []))
      const [first] = errors
      if (!first) return
      const count = `${errors.length} of ${messages.length} messages were not confirmed, the first because: `
      throw new HeadraceError(first.code, count + first.message, { cause: new AggregateError(errors) })
    },
    consume(handler, options = {}) {
      checkOpen()
      checkFunction('handler', handler)
      const single = ([only]: Message<Body>[], context: HandlerContext) => handler(only!, context)
      const handle = traces?.handler(single) ?? single
      return track(
        createConsumer(context, { decode, handle, results: () => undefined }, { ...options, sizeMax: 1, lingerMs: 0 }),
      )
    },
    consumeBatch(handler, options = {}) {
      checkOpen()
      checkFunction('handler', handler)
      const { sizeMax = 100, concurrency = 1 } = options
      return track(
        createConsumer(
          context,
          { decode, handle: traces?.handler(handler) ?? handler, results: batchResults },
          { ...options, sizeMax, concurrency },
        ),
      )
    },
    ...createParkedKeys({
      driver,
      name,
      clock,
      callMs,
      declared,
      async send(key, payload) {
        checkOpen()
        await publisher.publish(compose.command(key, payload), undefined)
      },
    }),
    deadLetters: createDeadLetters({ driver, name, clock, declared, callMs }),
    async stats() {
      await declared()
      const { waiting, delayed, dead, oldestAtMs } = await backendCall(
        clock,
        callMs,
        `asking queue "${name}"`,
        driver.stats(name),
      )
      const stats = [...consumers].map((consumer) => consumer.stats())
      const held = stats.reduce((sum, consumer) => sum + consumer.held, 0)
      const oldest = Math.min(
        ...[oldestAtMs, ...stats.map((consumer) => consumer.oldestAtMs)].filter((at) => at !== undefined),
      )
      return {
        depth: waiting + held,
        held,
        delayed,
        dead,
        oldestAgeMs: oldest === Number.POSITIVE_INFINITY ? undefined : Math.max(0, clock.wallMs() - oldest),
        unconfirmed: publisher.messages(),
      }
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }

  async function publishValid(schema: StandardSchema<Sent, Body>, body: Sent, options: PublishOptions): Promise<void> {
    const result = schema['~standard'].validate(body)
    accepted(result instanceof Promise ? await result : result)
    await publisher.publish(compose.message(body, options), options.signal)
  }

  async function close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    closed = true
    // A publish ends at its deadline at the latest, and the driver may never answer for it.
    const published = within(clock, publishMs, publisher.close(), options).catch(() => {})
    await Promise.all([published, requests?.close(), ...[...consumers].map((consumer) => consumer.close(options))])
    consumers.clear()
  }
}

const statuses: ReadonlySet<unknown> = new Set(['fulfilled', 'rejected'])

function batchResults(returned: unknown, count: number): readonly PromiseSettledResult<unknown>[] | undefined {
  if (returned === undefined) return undefined
  const settled = (result: unknown) =>
    typeof result === 'object' && result !== null && 'status' in result && statuses.has(result.status)
  if (!Array.isArray(returned) || returned.length !== count || !returned.every(settled)) {
    throw new TypeError(`a batch handler must return nothing or ${count} results, as Promise.allSettled does`)
  }
  return returned
}
