import { Buffer } from 'node:buffer'
import type { AsyncMessage, Envelope, SyncMessage } from 'rabbitmq-client'
import { type About, aboutOf, fromAbout, fromEnvelope, type Route, type StoredMessage, toEnvelope } from './envelope.ts'

/** Messages in one frame at most. Part of the format: a reader takes a frame with more for damaged. */
export const frameMessagesMax = 500
/** A frame of ours fits into one of AMQP's: what does not is sent alone. */
const frameBytesMax = 100_000

const contentType = 'application/vnd.headrace-frame'
const header = 'headrace-frame'
const version = 1
const newline = 10

type Entry = About & { readonly bytes: number }

/**
 * The AMQP messages that carry `messages`, in their order: a message alone as itself, so that anybody can read it, several
 * of one partition as a frame. A frame is one line of JSON, an array that says for each message what its envelope would,
 * and how many bytes its payload has; then the payloads, without anything in between.
 */
export function toFrames(messages: readonly StoredMessage[], routeOf: (partition: number) => Route): Carrier[] {
  const carriers: Carrier[] = []
  let from = 0
  let bytes = 0
  const cut = (to: number) => {
    const together = messages.slice(from, to)
    const [first] = together
    if (!first) return
    const route = routeOf(first.partition)
    carriers.push({
      count: together.length,
      sent: together.length === 1 ? toEnvelope(first, route) : toFrame(together, route),
    })
    from = to
    bytes = 0
  }
  messages.forEach((message, at) => {
    const size = roughBytes(message)
    const full = at - from === frameMessagesMax || bytes + size > frameBytesMax
    if (full || message.partition !== messages[from]!.partition) cut(at)
    bytes += size
  })
  cut(messages.length)
  return carriers
}

export interface Carrier {
  /** How many of the messages it carries. */
  readonly count: number
  readonly sent: [Envelope, Buffer]
}

function toFrame(messages: readonly StoredMessage[], route: Route): [Envelope, Buffer] {
  const entries: Entry[] = []
  let payloads = ''
  for (const message of messages) {
    entries.push({ ...aboutOf(message), bytes: Buffer.byteLength(message.payload) })
    payloads += message.payload
  }
  const envelope: Envelope = {
    ...route,
    mandatory: true,
    durable: true,
    contentType,
    headers: { [header]: JSON.stringify({ version, count: messages.length }) },
    timestamp: Math.floor(messages[0]!.publishedAtMs / 1_000),
  }
  return [envelope, Buffer.from(`${JSON.stringify(entries)}\n${payloads}`)]
}

// Of text beyond ASCII more: a frame that is larger than thought costs a little time, and nothing else.
function roughBytes({ id, key = '', payload, headers }: StoredMessage): number {
  let size = 100 + id.length + key.length + payload.length
  for (const name in headers) size += name.length + headers[name]!.length + 10
  return size
}

/** How many messages an AMQP message says that it carries. */
export function countOf({ headers }: AsyncMessage): number {
  return Number(/"count":(\d+)/.exec(String(headers?.[header]))?.[1] ?? 1)
}

/**
 * The messages that an AMQP message carries. A damaged frame is one message that no handler can read, so that it goes to
 * the dead letters as it is.
 * @throws Error where a newer version has made the frame: it is not ours to give up.
 */
export function messagesOf(received: AsyncMessage | SyncMessage, partition: number): readonly StoredMessage[] {
  if (received.contentType !== contentType) return [fromEnvelope(received, partition)]
  const about = received.headers?.[header]
  const found = /"version":(\d+)/.exec(String(about))?.[1]
  if (found !== String(version)) throw new Error(`a frame of version ${found}, this process reads version ${version}`)
  return read(received.body as Buffer, partition) ?? [fromEnvelope(received, partition)]
}

function read(body: Buffer, partition: number): StoredMessage[] | undefined {
  let from = body.indexOf(newline) + 1
  const entries = entriesOf(body.toString('utf8', 0, from))
  if (!entries) return undefined
  const text = body.toString('utf8', from)
  // Where each character is a byte, a part of the text is cheaper than text of a part.
  const plain = text.length === body.length - from
  const start = from
  const messages: StoredMessage[] = []
  for (const { bytes, ...about } of entries) {
    const to = from + bytes
    const payload = plain ? text.slice(from - start, to - start) : body.toString('utf8', from, to)
    messages.push(fromAbout(about, payload, partition))
    from = to
  }
  return from === body.length ? messages : undefined
}

function entriesOf(line: string): Entry[] | undefined {
  try {
    const entries = JSON.parse(line) as Entry[]
    const readable =
      entries.length > 0 && entries.length <= frameMessagesMax && entries.every(({ bytes }) => bytes >= 0)
    return readable ? entries : undefined
  } catch {
    return undefined
  }
}
