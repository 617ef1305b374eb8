import { Buffer } from 'node:buffer'
import {
  checkFunction,
  checkInteger,
  checkKey,
  checkNumber,
  cryptoRandom,
  exponentialBackoff,
  guardObserver,
  HeadraceError,
  partitionOf,
  randomId,
  systemClock,
  within,
} from '@headrace/core'
import { backendCall } from './backend.ts'
import type { Consumer } from './consume-options.ts'
import { type ConsumerContext, createConsumer } from './consumer.ts'
import { createDeadLetters } from './dead-letters.ts'
import type { QueueDriver, QueueMessage } from './driver.ts'
import { checkHeaders, type Message, type MessageOptions, messageBytes, toPayload } from './message.ts'
import { createPublisher } from './publisher.ts'
import type { PublishOptions, Queue, QueueOptions } from './queue.ts'
import type { HandlerContext } from './run.ts'
import { accepted, type StandardSchema } from './schema.ts'

/** @param name 1 to 200 bytes; with the driver it says which queue this is, in every process. */
export function createQueue<Body, Sent = Body>(
  driver: QueueDriver,
  name: string,
  options: QueueOptions<Body, Sent> = {},
): Queue<Body, Sent> {
  const { partitions = 8, schema, depthMax = 1_000_000, windowMax = 10_000, windowBytesMax = 64 * 2 ** 20 } = options
  const { messageBytesMax = Math.min(2 ** 20, driver.supports.messageBytesMax), publishMs = 10_000 } = options
  const { callMs = 10_000, clock = systemClock, random = cryptoRandom } = options
  const { attempts = 5, delayMinMs = 100, delayMaxMs = 10_000 } = options.retry ?? {}
  checkKey('name', name)
  if (Buffer.byteLength(name) > 200) throw new RangeError('name must be at most 200 bytes')
  checkInteger('partitions', partitions, { min: 1, max: 1_024 })
  checkInteger('attempts', attempts, { min: 1, max: 1_000 })
  checkInteger('depthMax', depthMax, { min: 1 })
  checkInteger('windowMax', windowMax, { min: 1, max: 1_000_000 })
  checkInteger('windowBytesMax', windowBytesMax, { min: 1 })
  checkInteger('messageBytesMax', messageBytesMax, { min: 1, max: driver.supports.messageBytesMax })
  checkNumber('publishMs', publishMs, { min: 1 })
  checkNumber('callMs', callMs, { min: 1 })
  if (schema) checkFunction('schema["~standard"].validate', schema['~standard']?.validate)
  if (options.depthMax !== undefined && !driver.supports.depthMax) {
    throw new HeadraceError('UNSUPPORTED', `${driver.name} cannot bound the depth of a queue`)
  }

  const emit = guardObserver(options.observe)
  const consumers = new Set<Consumer>()
  // Random per queue object and counted within it: as unique as random ids, and much cheaper.
  const idPrefix = `${randomId(random)}-`
  let nextId = 0
  let nextPartition = 0
  let closed = false
  let declaring: Promise<void> | undefined
  let warned = false

  async function declare(): Promise<void> {
    const differences = await backendCall(
      clock,
      callMs,
      `declaring queue "${name}"`,
      driver.declare({ name, partitions, depthMax }),
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
  const publisher = createPublisher(
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

  function message(body: Sent, options: MessageOptions): QueueMessage {
    const { key, id = `${idPrefix}${(nextId++).toString(36)}`, delayMs = 0, headers } = options
    if (key !== undefined) checkKey('key', key)
    checkKey('id', id)
    checkNumber('delayMs', delayMs, { min: 0, max: holdMaxMs })
    if (delayMs > 0 && !driver.supports.delay) {
      throw new HeadraceError('UNSUPPORTED', `${driver.name} cannot delay messages`)
    }
    const made: QueueMessage = {
      id,
      key,
      partition: key === undefined ? nextPartition++ % partitions : partitionOf(key, partitions),
      payload: toPayload(body),
      headers: headers ? checkHeaders(headers) : noHeaders,
      publishedAtMs: clock.wallMs(),
      delayMs,
    }
    const bytes = messageBytes(made)
    if (bytes <= messageBytesMax) return made
    throw new HeadraceError('REJECTED', `message "${id}" has ${bytes} bytes, more than ${messageBytesMax}`)
  }

  const context: ConsumerContext = {
    driver,
    queue: name,
    partitions,
    clock,
    attempts,
    backoff: exponentialBackoff({ delayMinMs, delayMaxMs, random }),
    reconnect: exponentialBackoff({ delayMinMs: 50, delayMaxMs: 5_000, random }),
    callMs,
    emit,
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
        return schema ? publishValid(schema, body, options) : publisher.publish(message(body, options), options.signal)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async publishAll(messages, { signal } = {}) {
      checkOpen()
      if (schema) for (const { body } of messages) accepted(await schema['~standard'].validate(body))
      const results = await Promise.allSettled(
        publisher.publishAll(
          messages.map(({ body, ...options }) => message(body, options)),
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
      const handle = ([only]: Message<Body>[], context: HandlerContext) => handler(only!, context)
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
          { decode, handle: handler, results: batchResults },
          { ...options, sizeMax, concurrency },
        ),
      )
    },
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
        unconfirmed: publisher.messages,
      }
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }

  async function publishValid(schema: StandardSchema<Sent, Body>, body: Sent, options: PublishOptions): Promise<void> {
    const result = schema['~standard'].validate(body)
    accepted(result instanceof Promise ? await result : result)
    await publisher.publish(message(body, options), options.signal)
  }

  async function close(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    closed = true
    // A publish ends at its deadline at the latest, and the driver may never answer for it.
    const published = within(clock, publishMs, publisher.close(), options).catch(() => {})
    await Promise.all([published, ...[...consumers].map((consumer) => consumer.close(options))])
    consumers.clear()
  }
}

// Ten years: longer is a mistake.
const holdMaxMs = 10 * 365 * 86_400_000
const noHeaders: Readonly<Record<string, string>> = Object.freeze({})

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
