import { Buffer } from 'node:buffer'
import { checkKey, describe, HeadraceError } from '@headrace/core'
import type { DeadReason, QueueMessage } from './driver.ts'
import { isOwnHeader } from './own-headers.ts'

/** A message as a handler sees it. */
export interface Message<Body> {
  /** The same at every delivery of the message: make effects idempotent by it. */
  readonly id: string
  readonly key: string | undefined
  readonly body: Body
  readonly headers: Readonly<Record<string, string>>
  /** 1 at the first delivery; deliveries that ended with their process are counted too. */
  readonly attempt: number
  /** Wall clock of the publisher, in milliseconds since 1970. */
  readonly publishedAtMs: number
}

export interface MessageOptions {
  /** Messages of one key are delivered one at a time, in the order in which they were published. Without a key there is no order. */
  readonly key?: string | undefined
  /** Goes with the message to the handler; random by default. Publishing again under the same id is how a `TIMEOUT` is resolved. */
  readonly id?: string | undefined
  /** Held back for this long; then it takes its place behind what was published before. */
  readonly delayMs?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** From then on, counted from when it is due, no handler is to have it; that of the queue by default. By the wall clocks of both sides. */
  readonly ttlMs?: number | undefined
  /** 0 to 9, the highest first; 4 by default. It orders keys, and messages without one, that a consumer holds; never the messages of a key. */
  readonly priority?: number | undefined
}

/** A message in the dead letters. */
export interface DeadLetter {
  readonly id: string
  readonly key: string | undefined
  /** The payload as JSON gives it back; undefined where it is not JSON. Not validated: it may be here for that reason. */
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly reason: DeadReason
  readonly error: string
  readonly attempts: number
  readonly publishedAtMs: number
  readonly deadAtMs: number
}

/** @throws TypeError where JSON cannot say it: undefined, functions, symbols, bigints, cycles. */
export function toPayload(body: unknown): string {
  const payload = JSON.stringify(body) as string | undefined
  if (payload === undefined) throw new TypeError(`body must be a JSON value, received ${describe(body)}`)
  return payload
}

export function checkHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new TypeError(`headers must be an object, received ${describe(headers)}`)
  }
  // A copy, so that a change by the caller after publish cannot reach the message.
  const copy: [string, string][] = []
  for (const [name, value] of Object.entries(headers)) {
    checkKey('a header name', name)
    if (isOwnHeader(name)) throw new TypeError(`header "${name}" is the queue's own`)
    if (typeof value !== 'string') throw new TypeError(`header "${name}" must be a string, received ${describe(value)}`)
    copy.push([name, value])
  }
  return Object.fromEntries(copy)
}

/** Bytes that count against the size limits. */
export function messageBytes(message: Pick<QueueMessage, 'payload' | 'headers'>): number {
  let bytes = Buffer.byteLength(message.payload)
  for (const name in message.headers) bytes += Buffer.byteLength(name) + Buffer.byteLength(message.headers[name]!)
  return bytes
}

const brand = Symbol.for('@headrace/queue/reject')

/** An error that sends its message to the dead letters at once: `throw reject('no such order')`. */
export function reject(reason: string, options?: { cause?: unknown }): HeadraceError {
  const error = new HeadraceError('REJECTED', reason, options)
  Object.defineProperty(error, brand, { value: true })
  return error
}

export function isRejection(error: unknown): boolean {
  return typeof error === 'object' && error !== null && brand in error
}
