import {
  type Clock,
  checkFunction,
  checkInteger,
  checkNumber,
  HeadraceError,
  isHeadraceError,
  throwIfAborted,
  within,
} from '@headrace/core'
import { OpenAttempt, type Work } from './attempt.ts'
import type { Budget } from './budget.ts'
import type { Endpoint } from './endpoint.ts'
import { type Contender, hedged } from './hedge.ts'
import { checkOutcome, type Outcome } from './load/load.ts'
import type { Pick, PickOptions } from './pick.ts'

export interface CallOptions {
  readonly key?: string | undefined
  readonly signal?: AbortSignal | undefined
  /** How long the whole call may take, all attempts and the wait for an endpoint included. 10 s by default. */
  readonly deadlineMs?: number | undefined
  /** Whether it may be done twice: then an attempt that failed is repeated elsewhere, also where it may have happened. */
  readonly idempotent?: boolean | undefined
  /** 3 by default; a hedge is one of them. */
  readonly attempts?: number | undefined
  /**
   * Sends a second attempt elsewhere when the first has not answered after this long; the faster one counts. Only for calls that
   * are `idempotent`, and not while answers are slow because the endpoints are busy. Never by default.
   */
  readonly hedgeAfterMs?: number | undefined
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
  readonly budget: Budget
  /**
   * At once where that is possible; else waits for its turn.
   * @throws HeadraceError `UNAVAILABLE` where there is nobody or nobody's turn comes in time, `BUSY`, `ABORTED`, `CLOSED`.
   */
  pick(options: PickOptions, waitMs: number, signal: AbortSignal | undefined): Pick<Metadata> | Promise<Pick<Metadata>>
  /** For a second attempt beside the first: null where there is nobody, or where it would only add to the load. */
  pickHedge(options: PickOptions): Pick<Metadata> | null
  /** An attempt failed and another one follows. */
  retried(endpoint: Endpoint<Metadata>, attempt: number, error: unknown): void
  hedged(endpoint: Endpoint<Metadata>, attempt: number): void
}

/** Does `work` at one endpoint, and where that fails and may be repeated, at others. */
export async function callThrough<Metadata, Result>(
  route: Route<Metadata>,
  work: Work<Metadata, Result>,
  options: CallOptions,
): Promise<Result> {
  const { key, signal, deadlineMs = 10_000, idempotent = false, attempts = 3, classify = outcomeOfError } = options
  const { hedgeAfterMs } = options
  checkNumber('deadlineMs', deadlineMs, { min: 0 })
  checkInteger('attempts', attempts, { min: 1 })
  checkFunction('classify', classify)
  if (hedgeAfterMs !== undefined) {
    checkNumber('hedgeAfterMs', hedgeAfterMs, { min: 0 })
    if (!idempotent) throw new TypeError('hedgeAfterMs needs a call that is idempotent')
  }
  throwIfAborted(signal, 'the call')
  route.budget.deposit()
  type Failed = { readonly endpoint: Endpoint<Metadata>; readonly error: unknown }
  const { clock } = route
  const endMs = clock.nowMs() + deadlineMs
  let tried: Set<string> | undefined
  let attempt = 0
  // Read again only after something has taken time; the clock is a good part of the cost of a call.
  let leftMs = deadlineMs
  // Of the last attempt that failed: the outcome for its endpoint.
  let blame = 'ignored' as Outcome
  let failed: Failed | undefined

  for (;;) {
    const picked = pickNext()
    const pick = isThenable(picked) ? await picked : picked
    if (isThenable(picked)) leftMs = endMs - clock.nowMs()
    if (failed) pay(failed, pick)
    try {
      if (hedgeAfterMs === undefined) return await attemptAt(pick, signal)
      return await hedged(clock, hedgeAfterMs, contenderAt(pick), () => rivalOf(pick))
    } catch (error) {
      const nothingHappened = isHeadraceError(error) && error.retryable
      const repeatable = nothingHappened || (idempotent && blame === 'failure')
      leftMs = endMs - clock.nowMs()
      if (!repeatable || signal?.aborted || attempt >= attempts || leftMs <= 0) throw error
      failed = { endpoint: pick.endpoint, error }
      avoid(pick)
    }
  }

  /** A repetition is paid for when it is certain that it will be sent. */
  function pay({ endpoint, error }: Failed, next: Pick<Metadata>): void {
    if (!route.budget.withdraw(clock.nowMs())) {
      next.done('ignored')
      throw error
    }
    route.retried(endpoint, attempt, error)
  }

  function avoid(pick: Pick<Metadata>): void {
    tried ??= new Set()
    tried.add(pick.endpoint.id)
  }

  function pickNext(): Pick<Metadata> | Promise<Pick<Metadata>> {
    try {
      return route.pick({ key, exclude: tried, deadlineMs: leftMs }, leftMs, signal)
    } catch (error) {
      // That nobody is left to try is the consequence; why the others failed is the cause.
      throw failed && isHeadraceError(error, 'UNAVAILABLE') ? failed.error : error
    }
  }

  async function attemptAt(pick: Pick<Metadata>, stop: AbortSignal | undefined): Promise<Result> {
    const context = new OpenAttempt(++attempt)
    let outcome: Outcome = 'ignored'
    try {
      const running = work(pick.endpoint, context)
      const result = isThenable(running)
        ? await within(clock, leftMs, running, {
            signal: stop,
            what: `the work at "${pick.endpoint.id}"`,
          })
        : running
      outcome = 'success'
      return result
    } catch (error) {
      context.fail(error)
      // What stops because nobody wants it any more says nothing of who did it.
      if (!stop?.aborted) outcome = classified(error)
      throw error
    } finally {
      blame = outcome
      pick.done(outcome)
    }
  }

  function classified(error: unknown): Outcome {
    const outcome = classify(error)
    checkOutcome(outcome)
    return outcome
  }

  /** An attempt that can be called off by itself. */
  function contenderAt(pick: Pick<Metadata>): Contender<Result> {
    const stop = new AbortController()
    const forward = () => stop.abort(signal?.reason)
    signal?.addEventListener('abort', forward, { once: true })
    return {
      result: attemptAt(pick, stop.signal).finally(() => signal?.removeEventListener('abort', forward)),
      cancel: () => stop.abort(new HeadraceError('ABORTED', 'another attempt was faster')),
    }
  }

  function rivalOf(first: Pick<Metadata>): Contender<Result> | null {
    if (attempt >= attempts) return null
    avoid(first)
    leftMs = endMs - clock.nowMs()
    const pick = route.pickHedge({ key, exclude: tried, deadlineMs: leftMs })
    if (!pick) return null
    if (!route.budget.withdraw(clock.nowMs())) {
      pick.done('ignored')
      return null
    }
    route.hedged(pick.endpoint, attempt + 1)
    return contenderAt(pick)
  }
}

function isThenable<Result>(value: Promise<Result> | Result): value is Promise<Result> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
