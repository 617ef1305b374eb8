import type { QueueMessage } from './driver.ts'

// What the queue itself says about a message travels as headers, so that no driver has to know it. Handlers do not see them.
export const priorityHeader = 'headrace-priority'
export const expiryHeader = 'headrace-expires-at'
export const commandHeader = 'headrace-command'
export const replyHeader = 'headrace-reply-to'

const own: readonly string[] = [priorityHeader, expiryHeader, commandHeader, replyHeader]

/** Commands that a queue takes beyond its bound. */
export const commandsMax = 1_000

/** Of 0 to 9. */
export const usualPriority = 4

type Headers = QueueMessage['headers']

export const isOwnHeader = (name: string): boolean => own.includes(name)

/** What is anything but a priority, as another program may have put it there, is the usual one. */
export function priorityOf(headers: Headers): number {
  const text = headers[priorityHeader]
  return text !== undefined && /^[0-9]$/.test(text) ? Number(text) : usualPriority
}

/** Wall clock from which on the message counts as expired. */
export function expiryOf(headers: Headers): number | undefined {
  const text = headers[expiryHeader]
  const atMs = text === undefined ? Number.NaN : Number(text)
  return Number.isFinite(atMs) ? atMs : undefined
}

/** What the publisher gave. */
export function visibleHeaders(headers: Headers): Headers {
  for (const name in headers) {
    if (isOwnHeader(name)) return Object.fromEntries(Object.entries(headers).filter(([other]) => !isOwnHeader(other)))
  }
  return headers
}

/** What a dead letter is when it goes back to its queue: the same, but with all the time in the world. */
export function redriven<Message extends Pick<QueueMessage, 'headers'>>(message: Message): Message {
  if (!(expiryHeader in message.headers)) return message
  const { [expiryHeader]: _, ...headers } = message.headers
  return { ...message, headers }
}
