import { type QueueOptions, reject } from '@headrace/queue'
import { openTelemetry } from '@headrace/queue/opentelemetry'
import * as api from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { outcome, setUp as setUpQueue } from './set-up.ts'

const exporter = new InMemorySpanExporter()
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
const tracer = provider.getTracer('test')

beforeAll(() => {
  api.trace.setGlobalTracerProvider(provider)
  api.context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  api.propagation.setGlobalPropagator(new W3CTraceContextPropagator())
})
beforeEach(() => exporter.reset())
afterEach(() => exporter.reset())

const setUp = (options: QueueOptions<string> = {}) => setUpQueue({ tracing: openTelemetry(api), ...options })
const spans = (name: string): ReadableSpan[] => exporter.getFinishedSpans().filter((span) => span.name === name)
const only = (name: string): ReadableSpan => {
  expect(spans(name)).toHaveLength(1)
  return spans(name)[0]!
}
const traceOf = (span: ReadableSpan) => span.spanContext().traceId
const idOf = (span: ReadableSpan) => span.spanContext().spanId

/** Runs `work` inside a span of the application. */
async function inside<T>(name: string, work: () => Promise<T>): Promise<T> {
  return await tracer.startActiveSpan(name, async (span) => {
    try {
      return await work()
    } finally {
      span.end()
    }
  })
}

describe('hazard 35: a trace', () => {
  it('goes on from whoever publishes to the handler and what it does', async () => {
    const { clock, queue } = setUp()
    queue.consume(() => inside('effect', async () => {}))
    await inside('request', () => queue.publish('a', { key: 'k', id: 'mine' }))
    await clock.settle()
    const [request, publish, process, effect] = ['request', 'publish orders', 'process orders', 'effect'].map(only)
    expect(publish!.parentSpanContext?.spanId).toBe(idOf(request!))
    expect(process!.parentSpanContext?.spanId).toBe(idOf(publish!))
    expect(effect!.parentSpanContext?.spanId).toBe(idOf(process!))
    expect(process!.links.map(({ context }) => context.spanId)).toEqual([idOf(publish!)])
    expect([publish!.kind, process!.kind]).toEqual([api.SpanKind.PRODUCER, api.SpanKind.CONSUMER])
    expect(publish!.attributes).toEqual({
      'messaging.system': 'memory',
      'messaging.destination.name': 'orders',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'publish',
      'messaging.message.id': 'mine',
    })
    expect(process!.attributes).toEqual({
      'messaging.system': 'memory',
      'messaging.destination.name': 'orders',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.message.id': 'mine',
      'headrace.queue.attempt': 1,
    })
  })

  it('holds every attempt, with its error, and the one after a redrive', async () => {
    const { clock, queue } = setUp({ retry: { attempts: 2 } })
    let broken = true
    queue.consume(() => {
      if (broken) throw Object.assign(new Error('no'), { code: 'ENO' })
    })
    const published = queue.publish('a')
    await clock.advance(1_000)
    await published
    broken = false
    await queue.deadLetters.redrive()
    await clock.settle()
    const attempts = spans('process orders')
    expect(attempts.map(({ status }) => status.code)).toEqual([2, 2, 0])
    expect(attempts[0]!.attributes['error.type']).toBe('ENO')
    expect(attempts[0]!.events[0]).toMatchObject({ name: 'exception', attributes: { 'exception.message': 'no' } })
    expect(new Set(attempts.map(traceOf))).toEqual(new Set([traceOf(only('publish orders'))]))
  })

  it('does not leak from one message to another', async () => {
    const { clock, queue } = setUp()
    const { queue: plain } = setUpQueue()
    const traces: (string | undefined)[] = []
    const seen = () => traces.push(api.trace.getSpanContext(api.context.active())?.traceId)
    queue.consume(seen, { concurrency: 1 })
    await Promise.all([inside('one', () => queue.publish('a')), inside('two', () => queue.publish('b'))])
    await clock.settle()
    expect(traces).toHaveLength(2)
    expect(new Set(traces)).toEqual(new Set([only('one'), only('two')].map(traceOf)))
    await plain.close()
  })

  it('begins anew with a message that carries none, whatever was active when it was delivered', async () => {
    const { clock, driver, queue } = setUp()
    await queue.open()
    queue.consume(() => {})
    await clock.settle()
    const message = { id: 'a', key: 'k', payload: '"a"', headers: {}, publishedAtMs: 0, delayMs: 0, partition: 0 }
    await inside('other', () => driver.publish('orders', [message]))
    await clock.settle()
    expect(traceOf(only('process orders'))).not.toBe(traceOf(only('other')))
    expect(only('process orders').links).toEqual([])
  })

  it('links a batch to each of its messages', async () => {
    const { clock, queue } = setUp()
    await inside('one', () => queue.publishAll([{ body: 'a' }, { body: 'b' }]))
    await inside('two', () => queue.publish('c'))
    queue.consumeBatch(async () => {}, { lingerMs: 10 })
    await clock.advance(10)
    const process = only('process orders')
    expect(process.attributes['messaging.batch.message_count']).toBe(3)
    expect(process.parentSpanContext).toBeUndefined()
    const sent = spans('publish orders').map(idOf)
    expect(process.links.map(({ context }) => context.spanId).toSorted()).toEqual(sent.toSorted())
  })

  it('of a message that carries one belongs to that, as for one from an outbox', async () => {
    const { queue } = setUp()
    const headers: Record<string, string> = {}
    await inside('transaction', async () => api.propagation.inject(api.context.active(), headers))
    await inside('relay', () => queue.publish('a', { headers }))
    expect(only('publish orders').parentSpanContext?.spanId).toBe(idOf(only('transaction')))
  })

  it('ends with the error where publishing fails', async () => {
    const { queue } = setUp({ windowMax: 1 })
    const results = await Promise.all([
      outcome(queue.publishAll([{ body: 'a' }, { body: 'b' }])),
      outcome(queue.publish('c')),
      outcome(queue.publish('d')),
    ])
    expect(results).toMatchObject([{ name: 'RangeError' }, undefined, { code: 'BUSY' }])
    expect(spans('publish orders').map(({ attributes }) => attributes['error.type'])).toEqual([
      'RangeError',
      'RangeError',
      'BUSY',
      undefined,
    ])
  })

  it('goes with requests, and with what is rejected', async () => {
    const { clock, queue } = setUp()
    queue.consume(({ body }) => {
      if (body === 'bad') throw reject('no')
      return traceOf.name
    })
    const answers = inside('request', () => Promise.all([queue.request('good'), outcome(queue.request('bad'))]))
    await clock.settle()
    await answers
    expect(spans('process orders').map(({ status }) => status.code)).toEqual([0, 2])
    expect(spans('process orders').map(traceOf)).toEqual(Array(2).fill(traceOf(only('request'))))
  })
})

it('a port without its methods is named', () => {
  expect(() => setUp({ tracing: { send() {} } as never })).toThrow('tracing.process must be a function')
})
