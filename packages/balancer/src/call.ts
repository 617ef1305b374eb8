import {
  type Clock,
  checkFunction,
  checkInteger,
  checkNumber,
  isHeadraceError,
  throwIfAborted,
  within,
} from '@headrace/core'
import type { Endpoint } from './endpoint.ts'
import { checkOutcome, type Outcome } from './load/load.ts'
import type { Pick, PickOptions } from './pick.ts'

/** What a piece of work is told besides its endpoint. */
export interface Attempt {
  /** Aborts when nobody waits for this attempt any more: hand it on to whatever does the work. */
  readonly signal: AbortSignal
  /** 1 for the first. */
  readonly attempt: number
}

export type Work<Metadata, Result> = (endpoint: Endpoint<Metadata>, attempt: Attempt) => Promise<Result> | Result

export interface CallOptions {
  readonly key?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** How long the whole call may take, all attempts and the wait for a first endpoint included. 10 s by default. */
  readonly deadlineMs?: number | undefined
  /** Whether it may be done twice: then an attempt that failed is repeated elsewhere, also where it may have happened. */
  readonly idempotent?: boolean | undefined
  /** 3 by default. */
  readonly attempts?: number | undefined
  /** What an error says of the endpoint. {@link outcomeOfError} by default. */
  readonly classify?: ((error: unknown) => Outcome) | undefined
}

/**
 * What a failed attempt says of its endpoint: a refusal that was understood (`REJECTED`, `STALE`, `LOST`, `UNSUPPORTED`)
 * says nothing; everything else, errors of other libraries too, counts against it.
 */
export function outcomeOfError(error: unknown): Outcome {
  return isHeadraceError(error) && understood.has(error.code) ? 'ignored' : 'failure'
}

const understood: ReadonlySet<string> = new Set(['REJECTED', 'STALE', 'LOST', 'UNSUPPORTED'])

/** What a call needs of the balancer that it goes through. */
export interface Route<Metadata> {
  readonly clock: Clock
  /**
   * At once where that is possible; else waits for its turn.
   * @throws HeadraceError `UNAVAILABLE` where there is nobody or nobody's turn comes in time, `BUSY`, `ABORTED`, `CLOSED`.
   */
  pick(options: PickOptions, waitMs: number, signal: AbortSignal | undefined): Pick<Metadata> | Promise<Pick<Metadata>>
  /** An attempt failed and another one follows. */
  retried(endpoint: Endpoint<Metadata>, attempt: number, error: unknown): void
}

/** Does `work` at one endpoint, and where that fails and may be repeated, at others. */
export async function callThrough<Metadata, Result>(
  route: Route<Metadata>,
  work: Work<Metadata, Result>,
  options: CallOptions,
): Promise<Result> {
  const { key, signal, deadlineMs = 10_000, idempotent = false, attempts = 3, classify = outcomeOfError } = options
  checkNumber('deadlineMs', deadlineMs, { min: 0 })
  checkInteger('attempts', attempts, { min: 1 })
  checkFunction('classify', classify)
  throwIfAborted(signal, 'the call')
  const endMs = route.clock.nowMs() + deadlineMs
  let tried: Set<string> | undefined
  let lastError: unknown
  for (let attempt = 1; ; attempt++) {
    const pick = await pickFor(attempt)
    const leftMs = endMs - route.clock.nowMs()
    try {
      const result = await attemptOn(work, pick.endpoint, { clock: route.clock, attempt, leftMs, signal })
      pick.done('success')
      return result
    } catch (error) {
      let outcome: Outcome = 'ignored'
      try {
        // What stops because its caller does not want it any more says nothing of who did it.
        if (!signal?.aborted) outcome = classified(classify, error)
      } finally {
        pick.done(outcome)
      }
      const nothingHappened = isHeadraceError(error) && error.retryable
      const repeatable = nothingHappened || (idempotent && outcome === 'failure')
      if (!repeatable || signal?.aborted || attempt >= attempts || route.clock.nowMs() >= endMs) throw error
      lastError = error
      tried ??= new Set()
      tried.add(pick.endpoint.id)
      route.retried(pick.endpoint, attempt, error)
    }
  }

  function pickFor(attempt: number): Pick<Metadata> | Promise<Pick<Metadata>> {
    const leftMs = endMs - route.clock.nowMs()
    try {
      return route.pick({ key, exclude: tried, deadlineMs: leftMs }, leftMs, signal)
    } catch (error) {
      // That nobody is left to try is the consequence; why the others failed is the cause.
      throw attempt > 1 && isHeadraceError(error, 'UNAVAILABLE') ? lastError : error
    }
  }
}

async function attemptOn<Metadata, Result>(
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

function classified(classify: (error: unknown) => Outcome, error: unknown): Outcome {
  const outcome = classify(error)
  checkOutcome(outcome)
  return outcome
}
