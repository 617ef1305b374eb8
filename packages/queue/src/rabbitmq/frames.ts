import { Buffer } from 'node:buffer'
import type { AsyncMessage, Envelope, SyncMessage } from 'rabbitmq-client'
import { fromEnvelope, type Route, type StoredMessage, toEnvelope } from './envelope.ts'

/** Messages in one frame at most. Part of the format: a reader takes a frame with more for damaged. */
export const frameMessagesMax = 500
/** A frame of ours fits into one of AMQP's: what does not is sent alone. */
const frameBytesMax = 100_000

const contentType = 'application/vnd.headrace-frame'
const header = 'headrace-frame'
const version = 1
const newline = 10

interface About {
  readonly version: number
  readonly count: number
  readonly partition: number
}

/** Short, because there are many; without headers where there are none. */
type Entry = [bytes: number, id: string, key: string | null, publishedAtMs: number, headers?: StoredMessage['headers']]

/**
 * The AMQP messages that carry `messages`, in their order: a message alone as itself, so that anybody can read it, several
 * of one partition as a frame. A frame is one line of JSON with an entry for each message, and then the payloads, without
 * anything in between.
 */
export function toFrames(messages: readonly StoredMessage[], routeOf: (partition: number) => Route): Carrier[] {
  const carriers: Carrier[] = []
  for (let from = 0; from < messages.length; ) {
    const { partition } = messages[from]!
    let to = from
    for (let bytes = 0; to < messages.length && to - from < frameMessagesMax; to++) {
      const message = messages[to]!
      bytes += roughBytes(message)
      if (to > from && (bytes > frameBytesMax || message.partition !== partition)) break
    }
    const route = routeOf(partition)
    const sent = to - from === 1 ? toEnvelope(messages[from]!, route) : toFrame(messages.slice(from, to), route)
    carriers.push({ count: to - from, sent })
    from = to
  }
  return carriers
}

export interface Carrier {
  /** How many of the messages it carries. */
  readonly count: number
  readonly sent: [Envelope, Buffer]
}

function toFrame(messages: readonly StoredMessage[], route: Route): [Envelope, Buffer] {
  const { partition, publishedAtMs } = messages[0]!
  const entries: Entry[] = []
  let payloads = ''
  for (const { id, key, payload, headers, publishedAtMs } of messages) {
    const entry: Entry = [Buffer.byteLength(payload), id, key ?? null, publishedAtMs]
    if (!isEmpty(headers)) entry.push(headers)
    entries.push(entry)
    payloads += payload
  }
  const about: About = { version, count: messages.length, partition }
  const envelope: Envelope = {
    exchange: route.exchange ?? '',
    routingKey: route.routingKey,
    mandatory: true,
    durable: true,
    contentType,
    headers: { [header]: JSON.stringify(about) },
    timestamp: Math.floor(publishedAtMs / 1_000),
  }
  return [envelope, Buffer.from(`${JSON.stringify(entries)}\n${payloads}`)]
}

function isEmpty(headers: StoredMessage['headers']): boolean {
  for (const _ in headers) return false
  return true
}

// Of text beyond ASCII more: a frame that is larger than thought costs a little time, and nothing else.
function roughBytes({ id, key = '', payload, headers }: StoredMessage): number {
  let size = 100 + id.length + key.length + payload.length
  for (const name in headers) size += name.length + headers[name]!.length + 10
  return size
}

/** How many messages an AMQP message says that it carries. */
export function countOf(received: AsyncMessage): number {
  return received.contentType === contentType ? aboutOf(received).count : 1
}

/**
 * The messages that an AMQP message carries. A damaged frame is one message that no handler can read, so that it goes to
 * the dead letters as it is.
 * @throws Error where a newer version has made the frame: it is not ours to give up.
 */
export function messagesOf(received: AsyncMessage | SyncMessage, ownPartition: number): readonly StoredMessage[] {
  if (received.contentType !== contentType) return [fromEnvelope(received, ownPartition)]
  const { version: found, partition = ownPartition } = aboutOf(received)
  if (found !== version) throw new Error(`a frame of version ${found}, this process reads version ${version}`)
  return read(received.body as Buffer, partition) ?? [fromEnvelope(received, partition)]
}

function aboutOf({ headers }: AsyncMessage | SyncMessage): About {
  try {
    return JSON.parse(headers?.[header] as string) as About
  } catch {
    return { version: 0, count: 1, partition: 0 }
  }
}

function read(body: Buffer, partition: number): StoredMessage[] | undefined {
  const start = body.indexOf(newline) + 1
  const entries = entriesOf(body.toString('utf8', 0, start))
  if (!entries) return undefined
  const text = body.toString('utf8', start)
  // Where each character is a byte, a part of the text is cheaper than text of a part.
  const plain = text.length === body.length - start
  let from = start
  const messages = entries.map(([bytes, id, key, publishedAtMs, headers = {}]): StoredMessage => {
    const to = from + bytes
    const payload = plain ? text.slice(from - start, to - start) : body.toString('utf8', from, to)
    from = to
    return { id, key: key ?? undefined, partition, payload, headers, publishedAtMs }
  })
  return from === body.length ? messages : undefined
}

function entriesOf(line: string): Entry[] | undefined {
  try {
    const entries = JSON.parse(line) as Entry[]
    const readable = entries.length > 0 && entries.length <= frameMessagesMax && entries.every(([bytes]) => bytes >= 0)
    return readable ? entries : undefined
  } catch {
    return undefined
  }
}
