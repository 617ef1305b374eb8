import { HeadraceError } from '@headrace/core'
import type { Dispatcher } from 'undici'
import * as undici from 'undici'
import type { Balancer } from './balancer.ts'
import { outcomeOfError } from './call.ts'
import type { Outcome } from './load/load.ts'

export interface BalancedDispatcherOptions {
  /** For all attempts and the whole answer. 300 s by default, as undici's own limits. */
  readonly deadlineMs?: number | undefined
  /** 3 by default. A request is repeated where it was not sent, and where its method is idempotent. */
  readonly attempts?: number | undefined
  /** What a request is about, for policies that look at keys. */
  readonly key?: ((request: Dispatcher.DispatchOptions) => string | undefined) | undefined
  /** Which answers count against the endpoint; those from 500 on by default. */
  readonly isFailure?: ((statusCode: number) => boolean) | undefined
}

/**
 * Sends each request to an endpoint of `balancer`, whatever host its URL names.
 * @param agent does the work, with the connections and limits that you gave it; one with those of undici by default. It ends with
 * the `close` or `destroy` of the dispatcher.
 * @example fetch('http://shop/orders', { dispatcher: balancedDispatcher(balancer) })
 */
export function balancedDispatcher(
  balancer: Balancer<unknown>,
  agent: Dispatcher = new undici.Agent(),
  options: BalancedDispatcherOptions = {},
): Dispatcher {
  const { deadlineMs = 300_000, attempts = 3, key, isFailure = (statusCode) => statusCode >= 500 } = options
  return agent.compose((dispatch) => (given, caller) => {
    const handler = wrapHandler(caller)
    // Who has the older handlers does not know HTTP/2.
    const request = handler === caller ? given : { ...given, allowH2: false }
    const teller = tellOnce(handler)
    const canRepeat = isReplayable(request.body)
    const work = ({ address }: { address: string }, { signal }: { signal: AbortSignal }) =>
      new Promise<void>((resolve, reject) => {
        const observer = observing(teller, {
          signal,
          isFailure,
          ended: resolve,
          failed: (error, hasStarted) =>
            reject(!hasStarted && canRepeat && mayRepeat(request, error) ? notSent(error) : error),
        })
        dispatch({ ...request, origin: address.includes('://') ? address : `http://${address}` }, observer)
      })
    balancer
      .call(work, { key: key?.(request), deadlineMs, attempts, classify: outcomeOf })
      .catch((error: Error) => teller.failed(error))
    return true
  })
}

// The handlers of undici 6, which the `fetch` of Node 24 has, are wrapped by undici 7 in `compose`, and by undici 8 with this.
const { Dispatcher1Wrapper } = undici as { Dispatcher1Wrapper?: { wrapHandler: typeof wrapHandler } }
const wrapHandler: (handler: Dispatcher.DispatchHandler) => Dispatcher.DispatchHandler =
  Dispatcher1Wrapper?.wrapHandler ?? ((handler) => handler)

/** An answer that was delivered as it was, and that counts against its endpoint. */
class BadAnswer extends Error {}

function outcomeOf(error: unknown): Outcome {
  return (error as { name?: unknown })?.name === 'AbortError' ? 'ignored' : outcomeOfError(error)
}

interface Teller {
  readonly handler: Dispatcher.DispatchHandler
  /** Ends the request with an error, unless it has ended already. */
  failed(error: Error): void
  ended(): void
  controller: Dispatcher.DispatchController
}

function tellOnce(handler: Dispatcher.DispatchHandler): Teller {
  let isOver = false
  const teller: Teller = {
    handler,
    controller: noController,
    ended() {
      isOver = true
    },
    failed(error) {
      if (isOver) return
      isOver = true
      handler.onResponseError?.(teller.controller, error)
    },
  }
  return teller
}

// For an error before there is a connection that could be controlled.
const noController: Dispatcher.DispatchController = {
  aborted: false,
  paused: false,
  reason: null,
  rawHeaders: null,
  rawTrailers: null,
  abort() {},
  pause() {},
  resume() {},
}

/** Passes on what happens to one attempt, except a failure that another attempt may make good. */
function observing(
  teller: Teller,
  attempt: {
    readonly signal: AbortSignal
    readonly isFailure: (statusCode: number) => boolean
    readonly ended: () => void
    readonly failed: (error: Error, hasStarted: boolean) => void
  },
): Dispatcher.DispatchHandler {
  const { handler } = teller
  const { signal, isFailure, ended, failed } = attempt
  let hasStarted = false
  let isBad = false
  return {
    onRequestStart(controller, context) {
      teller.controller = controller
      if (signal.aborted) return controller.abort(signal.reason)
      signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true })
      handler.onRequestStart?.(controller, context)
    },
    onRequestUpgrade(controller, statusCode, headers, socket) {
      teller.ended()
      handler.onRequestUpgrade?.(controller, statusCode, headers, socket)
      ended()
    },
    onResponseStart(controller, statusCode, headers, statusMessage) {
      hasStarted = true
      isBad = isFailure(statusCode)
      handler.onResponseStart?.(controller, statusCode, headers, statusMessage)
    },
    onResponseData(controller, chunk) {
      handler.onResponseData?.(controller, chunk)
    },
    onResponseEnd(controller, trailers) {
      teller.ended()
      handler.onResponseEnd?.(controller, trailers)
      if (isBad) failed(new BadAnswer('the answer counts against its endpoint'), true)
      else ended()
    },
    onResponseError(_, error) {
      if (hasStarted) teller.failed(error)
      failed(error, hasStarted)
    },
  }
}

const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
const neverConnected: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

function mayRepeat({ method }: Dispatcher.DispatchOptions, error: Error): boolean {
  if (error.name === 'AbortError') return false
  return idempotent.has(method) || neverConnected.has((error as { code?: unknown }).code)
}

function notSent(cause: Error): HeadraceError {
  return new HeadraceError('UNAVAILABLE', `no answer from the endpoint: ${cause.message}`, { cause })
}

// A stream that was read in part cannot be sent a second time.
function isReplayable(body: unknown): boolean {
  return body === null || body === undefined || typeof body === 'string' || body instanceof Uint8Array
}
