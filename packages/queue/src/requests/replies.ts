import { Buffer } from 'node:buffer'
import { type Clock, within } from '@headrace/core'
import { textOf } from '../consuming/failures.ts'
import type { Item } from '../consuming/lanes.ts'
import type { DeadReason, QueueMessage, Reply, ReplyPort } from '../driver.ts'
import { replyHeader } from '../own-headers.ts'

/** Answers to requests, from the side of those who handle them. */
export interface Answers {
  /** Keeps, of what a handler returned, what is for requests. */
  note(items: readonly Item[], results: readonly PromiseSettledResult<unknown>[] | undefined, returned: unknown): void
  /** For a message that is done, or that never will be; nothing happens where it is no request. */
  done(item: Item): void
  refused(item: Item, reason: DeadReason, error: string): void
}

/** What an answer says. */
export type Answer =
  | { readonly value: unknown }
  | { readonly refused: DeadReason; readonly error: string }
  /** The handler is done, and what it returned is no JSON, or too large. */
  | { readonly unsaid: string }

// Over it an answer is dropped, as if its way had broken: the driver takes nothing any more.
const sendingMax = 10_000

/**
 * Answers are sent once and never waited for: whoever has none when its time is over asks again under the same id, and the
 * message is handled again.
 */
export function createAnswers(
  replies: ReplyPort,
  {
    clock,
    callMs,
    messageBytesMax,
  }: { readonly clock: Clock; readonly callMs: number; readonly messageBytesMax: number },
): Answers {
  let sending = 0

  function payloadOf(answer: Answer): string {
    try {
      const payload = JSON.stringify(answer)
      const bytes = Buffer.byteLength(payload)
      if (bytes <= messageBytesMax) return payload
      return JSON.stringify({ unsaid: `it has ${bytes} bytes, more than ${messageBytesMax}` } satisfies Answer)
    } catch (error) {
      return JSON.stringify({ unsaid: textOf(error) } satisfies Answer)
    }
  }

  function send({ headers }: Pick<QueueMessage, 'headers'>, answer: Answer): void {
    const to = parseReplyTo(headers)
    if (!to || sending >= sendingMax) return
    sending++
    const sent = replies.send(to.address, { id: to.id, payload: payloadOf(answer) })
    const over = () => {
      sending--
    }
    void within(clock, callMs, sent).then(over, over)
  }

  return {
    note(items, results, returned) {
      for (let at = 0; at < items.length; at++) {
        const item = items[at]!
        if (!(replyHeader in item.delivery.message.headers)) continue
        const result = results?.[at]
        if (result?.status !== 'rejected') item.answer = { value: results ? result?.value : returned }
      }
    },
    done({ delivery: { message }, answer }) {
      if (answer) send(message, answer)
    },
    refused({ delivery: { message } }, reason, error) {
      if (replyHeader in message.headers) send(message, { refused: reason, error })
    },
  }
}

export const replyTo = ({ id }: Pick<Reply, 'id'>, address: string): Readonly<Record<string, string>> => ({
  [replyHeader]: `${id}@${address}`,
})

function parseReplyTo(headers: QueueMessage['headers']): { readonly id: string; readonly address: string } | undefined {
  const text = headers[replyHeader] ?? ''
  const at = text.indexOf('@')
  return at === -1 ? undefined : { id: text.slice(0, at), address: text.slice(at + 1) }
}
