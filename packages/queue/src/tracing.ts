import type { QueueMessage } from './driver.ts'
import type { Message } from './message.ts'
import type { Publisher } from './publishing/publisher.ts'

/** A system of traces, as a queue sees it; `openTelemetry` makes one. Its methods must not throw anything of their own. */
export interface QueueTracing {
  /** A message is published: what `headers` says goes with it, and `end` is called once, with the error where there is one. */
  send(message: TracedMessage): { readonly headers: Readonly<Record<string, string>>; end(error?: unknown): void }
  /** Calls `run`, a handler, in the context of its messages, and returns what it returns. */
  process<Result>(messages: readonly TracedMessage[], run: () => Result): Result
}

export interface TracedMessage {
  /** The name of the driver. */
  readonly system: string
  readonly queue: string
  readonly id: string
  readonly key: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** For a handler. */
  readonly attempt?: number | undefined
}

export interface Traces {
  publisher(publisher: Publisher): Publisher
  handler<Body, Context>(
    handle: (messages: Message<Body>[], context: Context) => unknown,
  ): (messages: Message<Body>[], context: Context) => unknown
}

export function createTraces(tracing: QueueTracing, system: string, queue: string): Traces {
  const traced = ({ id, key, headers, attempt }: Pick<TracedMessage, 'id' | 'key' | 'headers' | 'attempt'>) => ({
    system,
    queue,
    id,
    key,
    headers,
    attempt,
  })

  function begin(message: QueueMessage): { readonly sent: QueueMessage; end(error?: unknown): void } {
    const { headers, end } = tracing.send(traced(message))
    return { sent: { ...message, headers: { ...message.headers, ...headers } }, end }
  }

  return {
    publisher: (publisher) => ({
      publish(message, signal) {
        const { sent, end } = begin(message)
        try {
          const published = publisher.publish(sent, signal)
          published.then(() => end(), end)
          return published
        } catch (error) {
          end(error)
          throw error
        }
      },
      publishAll(messages, signal) {
        const begun = messages.map(begin)
        try {
          const published = publisher.publishAll(
            begun.map(({ sent }) => sent),
            signal,
          )
          published.forEach((one, at) => void one.then(() => begun[at]!.end(), begun[at]!.end))
          return published
        } catch (error) {
          for (const { end } of begun) end(error)
          throw error
        }
      },
      messages: () => publisher.messages(),
      close: () => publisher.close(),
    }),
    handler: (handle) => (messages, context) => tracing.process(messages.map(traced), () => handle(messages, context)),
  }
}
