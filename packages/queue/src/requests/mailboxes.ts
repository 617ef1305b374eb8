import { randomId } from '@headrace/core'
import type { ReplyPort, ReplyReceiver } from '../driver.ts'

/** Boxes for answers within one process. */
export interface Mailboxes extends ReplyPort {
  /** Every box is lost. */
  loseAll(cause: unknown): void
}

export function createMailboxes(check: () => void): Mailboxes {
  // As many as the application has queue objects that request.
  const boxes = new Map<string, ReplyReceiver>()
  return {
    async open(receiver) {
      check()
      const address = randomId()
      boxes.set(address, receiver)
      return {
        address,
        async close() {
          boxes.delete(address)
        },
      }
    },
    async send(address, reply) {
      check()
      boxes.get(address)?.onReply(reply)
    },
    loseAll(cause) {
      const lost = [...boxes.values()]
      boxes.clear()
      for (const { onLost } of lost) onLost(cause)
    },
  }
}
