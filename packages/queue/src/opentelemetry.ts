import { isThenable } from './thenable.ts'
import type { QueueTracing, TracedMessage } from './tracing.ts'

export type { QueueTracing, TracedMessage } from './tracing.ts'

/** What is used of `@opentelemetry/api`: give the module itself. */
export interface OpenTelemetryApi<Context, Span extends OpenTelemetrySpan, SpanContext> {
  readonly ROOT_CONTEXT: Context
  readonly context: {
    active(): Context
    with<Result>(context: Context, run: () => Result): Result
  }
  readonly propagation: {
    inject(context: Context, carrier: Record<string, string>): void
    extract(context: Context, carrier: Readonly<Record<string, string>>): Context
  }
  readonly trace: {
    getTracer(name: string): {
      startSpan(
        name: string,
        options: { kind: number; attributes: Record<string, string | number>; links?: { context: SpanContext }[] },
        parent: Context,
      ): Span
    }
    setSpan(context: Context, span: Span): Context
    getSpanContext(context: Context): SpanContext | undefined
  }
}

export interface OpenTelemetrySpan {
  setAttribute(name: string, value: string): unknown
  recordException(error: Error): void
  setStatus(status: { code: number; message?: string }): unknown
  end(): void
}

// SpanKind and SpanStatusCode.
const producer = 3
const consumer = 4
const failed = 2

/**
 * Spans of OpenTelemetry for a queue: `send` for each message that is published, `process` for each call of a handler, and
 * the context between the two in the headers, as the propagator of the application writes it (`traceparent`, `tracestate`).
 * The handler of one message continues the trace of whoever published it, at every attempt and after a redrive; a batch has
 * a span that links to those of all its messages. A message whose headers carry a context when it is published, as one from
 * an outbox does, belongs to that context and not to the one of the moment.
 * @example createQueue(driver, 'orders', { tracing: openTelemetry(await import('@opentelemetry/api')) })
 */
export function openTelemetry<Context, Span extends OpenTelemetrySpan, SpanContext>(
  api: OpenTelemetryApi<Context, Span, SpanContext>,
): QueueTracing {
  const { context, propagation, trace } = api
  const tracer = trace.getTracer('@headrace/queue')

  return {
    send(message) {
      const active = context.active()
      const parent = 'traceparent' in message.headers ? propagation.extract(active, message.headers) : active
      const attributes = attributesOf([message], 'send', 'publish')
      const span = tracer.startSpan(`publish ${message.queue}`, { kind: producer, attributes }, parent)
      const headers: Record<string, string> = {}
      propagation.inject(trace.setSpan(parent, span), headers)
      return { headers, end: (error) => end(span, error) }
    },
    process(messages, run) {
      // Not the active context: that of whoever had something settled or published when this began.
      const contexts = messages.map(({ headers }) => propagation.extract(api.ROOT_CONTEXT, headers))
      const parent = contexts.length === 1 ? contexts[0]! : api.ROOT_CONTEXT
      const links = contexts.flatMap((it) => {
        const linked = trace.getSpanContext(it)
        return linked === undefined ? [] : [{ context: linked }]
      })
      const attributes = attributesOf(messages, 'process', 'process')
      const name = `process ${messages[0]?.queue}`
      const span = tracer.startSpan(name, { kind: consumer, attributes, links }, parent)
      try {
        const returned = context.with(trace.setSpan(parent, span), run)
        if (isThenable(returned))
          returned.then(
            () => end(span),
            (error) => end(span, error ?? new Error('nothing')),
          )
        else end(span)
        return returned
      } catch (error) {
        end(span, error)
        throw error
      }
    },
  }
}

/** Names of the semantic conventions for messaging, as of their version 1.30. */
function attributesOf(
  messages: readonly TracedMessage[],
  type: 'send' | 'process',
  name: 'publish' | 'process',
): Record<string, string | number> {
  const [first] = messages
  const attributes: Record<string, string | number> = {
    'messaging.system': first?.system ?? '',
    'messaging.destination.name': first?.queue ?? '',
    'messaging.operation.type': type,
    'messaging.operation.name': name,
  }
  if (messages.length !== 1) attributes['messaging.batch.message_count'] = messages.length
  else {
    attributes['messaging.message.id'] = first!.id
    if (first!.attempt !== undefined) attributes['headrace.queue.attempt'] = first!.attempt
  }
  return attributes
}

function end(span: OpenTelemetrySpan, error?: unknown): void {
  if (error !== undefined) {
    const known = error instanceof Error ? error : new Error(String(error))
    span.recordException(known)
    span.setAttribute('error.type', 'code' in known ? String(known.code) : known.name)
    span.setStatus({ code: failed, message: known.message })
  }
  span.end()
}
