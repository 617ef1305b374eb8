import type { HeadraceError } from '@headrace/core'
import type { Item, Stretch } from './lanes.ts'
import type { Message } from './message.ts'

export interface HandlerContext {
  /** Aborts when the attempt is over before the handler is: `TIMEOUT`, `LOST` (the delivery is no longer ours) or `CLOSED`. */
  readonly signal: AbortSignal
}

/** One call of a handler. */
export interface Run<Body> extends HandlerContext {
  readonly stretches: readonly Stretch[]
  /** What the handler is given, and the items they came in. */
  readonly messages: Message<Body>[]
  readonly items: Item[]
  /** Went to the dead letters before the handler could see them. */
  invalid: Set<Item> | undefined
  ended: boolean
  /** It has not answered at once, and has a deadline. */
  timed: boolean
  abort(reason: HeadraceError): void
}

export function createRun<Body>(stretches: readonly Stretch[]): Run<Body> {
  let controller: AbortController | undefined
  let aborted: HeadraceError | undefined
  return {
    stretches,
    messages: [],
    items: [],
    invalid: undefined,
    timed: false,
    ended: false,
    // Made when asked for: a signal costs more than most messages, and few handlers look at it.
    get signal() {
      if (!controller) {
        controller = new AbortController()
        if (aborted) controller.abort(aborted)
      }
      return controller.signal
    },
    abort(reason) {
      aborted ??= reason
      controller?.abort(aborted)
    },
  }
}
