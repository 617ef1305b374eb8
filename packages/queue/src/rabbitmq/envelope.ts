import { Buffer } from 'node:buffer'
import type { AsyncMessage, Envelope, SyncMessage } from 'rabbitmq-client'
import type { DeadInfo, QueueMessage } from '../driver.ts'

/** Not "application/json", which the client would parse, losing the bytes where it cannot. */
const contentType = 'application/vnd.headrace+json'
const about = 'headrace'
const death = 'headrace-dead'

export type StoredMessage = Omit<QueueMessage, 'delayMs'>

interface About {
  readonly id: string
  readonly key?: string | undefined
  readonly partition: number
  readonly headers: Readonly<Record<string, string>>
  readonly at: number
}

export interface Route {
  readonly exchange?: string
  readonly routingKey: string
}

/**
 * How a message travels. What is ours is one header of JSON: names of AMQP's own fields are cut at 255 bytes by the client,
 * and values of other types than text come back as something else.
 */
export function toEnvelope(message: StoredMessage, route: Route, dead?: DeadInfo): [Envelope, Buffer] {
  const { id, key, partition, headers, publishedAtMs: at } = message
  const own = JSON.stringify({ id, key, partition, headers, at } satisfies About)
  const envelope: Envelope = {
    exchange: route.exchange ?? '',
    routingKey: route.routingKey,
    mandatory: true,
    durable: true,
    contentType,
    headers: dead ? { [about]: own, [death]: JSON.stringify(dead) } : { [about]: own },
    timestamp: Math.floor(at / 1_000),
  }
  // For people and their tools; the one that counts is in the header.
  if (Buffer.byteLength(id) <= 255) envelope.messageId = id
  return [envelope, Buffer.from(message.payload)]
}

/** Also of a message that something else has published: then the body is the payload, and there is no key. */
export function fromEnvelope(received: AsyncMessage | SyncMessage, partition: number): StoredMessage {
  const own = parsed<About>(received.headers?.[about])
  return {
    id: own?.id ?? received.messageId ?? '',
    key: own?.key,
    partition: own?.partition ?? partition,
    payload: textOf(received.body),
    headers: own?.headers ?? {},
    publishedAtMs: own?.at ?? (received.timestamp ?? 0) * 1_000,
  }
}

export function deathOf(received: SyncMessage): DeadInfo {
  const info = parsed<DeadInfo>(received.headers?.[death])
  if (info) return info
  // The broker's own limit has put it here.
  const [first] = (received.headers?.['x-death'] as { readonly reason?: string; readonly time?: number }[]) ?? []
  return {
    reason: 'redelivered',
    error: `dead-lettered by the broker: ${first?.reason ?? 'no reason given'}`,
    attempts: redeliveriesOf(received),
    deadAtMs: (first?.time ?? 0) * 1_000,
  }
}

/**
 * Deliveries before this one. Quorum queues count those that ended without a settlement: in `x-delivery-count`, and from
 * RabbitMQ 4.3 on in `x-acquired-count` with those that were given back besides. Other queues only say that there were some.
 */
export function redeliveriesOf(received: AsyncMessage | SyncMessage): number {
  const { 'x-delivery-count': ended = 0, 'x-acquired-count': acquired = 0 } = received.headers ?? {}
  return received.redelivered ? Math.max(1, Number(ended), Number(acquired)) : 0
}

export function parsed<T>(header: unknown): T | undefined {
  if (typeof header !== 'string') return undefined
  try {
    return JSON.parse(header) as T
  } catch {
    return undefined
  }
}

function textOf(body: unknown): string {
  if (Buffer.isBuffer(body)) return body.toString()
  return typeof body === 'string' ? body : JSON.stringify(body)
}
