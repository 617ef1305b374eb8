import { type Clock, checkNumber, HeadraceError, throwIfAborted, within } from '@headrace/core'
import { backendError } from '../backend.ts'
import type { QueueMessage, Reply, ReplyBox, ReplyPort } from '../driver.ts'
import { type Answer, replyTo } from './replies.ts'

/** Requests of one queue object, and the one box to which their answers come. */
export interface Requests {
  /** @param publish is given the headers that say where the answer goes. */
  request(
    what: string,
    options: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined },
    publish: (headers: QueueMessage['headers'], signal: AbortSignal) => Promise<void>,
  ): Promise<unknown>
  close(): Promise<void>
}

export function createRequests(
  port: ReplyPort,
  options: { readonly clock: Clock; readonly callMs: number; readonly requestsMax: number },
): Requests {
  const { clock, callMs, requestsMax } = options
  const waiting = new Map<string, PromiseWithResolvers<Answer>>()
  let nextId = 0
  let opening: Promise<ReplyBox> | undefined

  function open(): Promise<ReplyBox> {
    let mine: Promise<ReplyBox> | undefined
    const lose = (cause: unknown) => {
      if (opening === mine) opening = undefined
      const why = 'the way back broke, and it may have been handled: request it again under the same id'
      failAll(new HeadraceError('TIMEOUT', why, { cause }))
    }
    const made = port.open({ onReply, onLost: lose })
    const onLate = (late: ReplyBox) => late.close().catch(() => {})
    mine = within(clock, callMs, made, { onLate, what: 'opening a box for answers' }).catch((cause: unknown) => {
      if (opening === mine) opening = undefined
      throw backendError('opening a box for answers', cause)
    })
    return mine
  }

  function onReply({ id, payload }: Reply): void {
    // One whose request is over, or that somebody else made up, is for nobody.
    const request = waiting.get(id)
    if (!request) return
    try {
      request.resolve(JSON.parse(payload) as Answer)
    } catch (cause) {
      request.reject(new HeadraceError('REJECTED', 'the answer cannot be read', { cause }))
    }
  }

  function failAll(error: HeadraceError): void {
    for (const { reject } of waiting.values()) reject(error)
  }

  return {
    async request(what, { timeoutMs = 10_000, signal }, publish) {
      checkNumber('timeoutMs', timeoutMs, { min: 1 })
      throwIfAborted(signal, what)
      if (waiting.size >= requestsMax) {
        throw new HeadraceError('BUSY', `${waiting.size} requests have no answer yet: there is room for no more`)
      }
      const id = (nextId++).toString(36)
      const answer = Promise.withResolvers<Answer>()
      // It may fail before anybody listens, while the box is being opened.
      answer.promise.catch(() => {})
      waiting.set(id, answer)
      const over = new AbortController()
      const exchange = () => {
        opening ??= open()
        const published = opening.then(({ address }) => publish(replyTo({ id }, address), over.signal))
        // The answer may be there before the confirmation, which then no longer matters.
        return Promise.race([answer.promise, published.then(() => answer.promise)])
      }
      try {
        return saidBy(what, await within(clock, timeoutMs, exchange(), { signal, what }))
      } finally {
        waiting.delete(id)
        // Where nobody waits any more, what was not sent need not be.
        over.abort()
      }
    },
    async close() {
      failAll(new HeadraceError('CLOSED', 'the queue was closed before the answer; it may have been handled'))
      const box = await opening?.catch(() => undefined)
      if (box) await within(clock, callMs, box.close()).catch(() => {})
    },
  }
}

function saidBy(what: string, answer: Answer): unknown {
  if ('refused' in answer)
    throw new HeadraceError('REJECTED', `${what} was given up (${answer.refused}): ${answer.error}`)
  if ('unsaid' in answer)
    throw new HeadraceError('REJECTED', `${what} was handled, but its answer cannot be sent: ${answer.unsaid}`)
  return answer.value
}
