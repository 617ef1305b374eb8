import type { HeadraceError } from '@headrace/core'
import type { Link } from '../chain.ts'
import type { Timed } from '../deadlines.ts'
import type { Message } from '../message.ts'
import { append, none } from './append.ts'
import type { Item, Stretch } from './lanes.ts'

export interface HandlerContext {
  /** Aborts when the attempt is over before the handler is: `TIMEOUT`, `LOST` (the delivery is no longer ours) or `CLOSED`. */
  readonly signal: AbortSignal
}

/** One call of a handler. A class, because a getter in an object literal costs more than all the rest of it. */
export class Run<Body> implements HandlerContext, Timed {
  readonly stretches: readonly Stretch[]
  /** What the handler is given, and the items they came in. */
  messages: Message<Body>[] = none
  items: Item[] = none
  /** Invalid or expired: they are settled, and the handler never sees them. */
  leftOut: Set<Item> | undefined = undefined
  ended = false
  /** Among those that run. */
  place: Link<Run<Body>> | undefined = undefined
  dueMs = 0
  startedMs = 0
  wait: Timed['wait'] = undefined
  /** It has not answered at once, and has a deadline. */
  timed = false
  #controller: AbortController | undefined = undefined
  #reason: HeadraceError | undefined = undefined

  constructor(stretches: readonly Stretch[]) {
    this.stretches = stretches
  }

  add(item: Item, message: Message<Body>): void {
    this.items = append(this.items, item)
    this.messages = append(this.messages, message)
  }

  /** Made when asked for: a signal costs more than most messages, and few handlers look at it. */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  abort(reason: HeadraceError): void {
    this.#reason ??= reason
    this.#controller?.abort(this.#reason)
  }
}
