import { type Clock, within } from '@headrace/core'
import type { Endpoint } from './endpoint.ts'

/** What a piece of work is told besides its endpoint. */
export interface Attempt {
  /** Aborts when nobody waits for this attempt any more: hand it on to whatever does the work. */
  readonly signal: AbortSignal
  /** 1 for the first. */
  readonly attempt: number
}

export type Work<Metadata, Result> = (endpoint: Endpoint<Metadata>, attempt: Attempt) => Promise<Result> | Result

/** Does the work once, at one endpoint: for `leftMs` at most, and no longer than `signal` allows. */
export async function attemptOn<Metadata, Result>(
  work: Work<Metadata, Result>,
  endpoint: Endpoint<Metadata>,
  limits: {
    readonly clock: Clock
    readonly attempt: number
    readonly leftMs: number
    readonly signal: AbortSignal | undefined
  },
): Promise<Result> {
  const { clock, attempt, leftMs, signal } = limits
  // Made when asked for: an AbortController costs more than all the rest of a call.
  let controller: AbortController | undefined
  let failure: { readonly reason: unknown } | undefined
  const context: Attempt = {
    get signal() {
      controller ??= new AbortController()
      if (failure) controller.abort(failure.reason)
      return controller.signal
    },
    attempt,
  }
  try {
    const running = Promise.resolve(work(endpoint, context))
    return await within(clock, leftMs, running, { signal, what: `the work at "${endpoint.id}"` })
  } catch (error) {
    failure = { reason: error }
    controller?.abort(error)
    throw error
  }
}
