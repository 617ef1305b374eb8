import {
  type Clock,
  checkFunction,
  checkInteger,
  checkNumber,
  HeadraceError,
  isHeadraceError,
  throwIfAborted,
} from '@headrace/core'
import { type AttemptOwner, isThenable, OpenAttempt, type Work } from './attempt.ts'
import type { Budget } from './budget.ts'
import type { Deadlines } from './deadlines.ts'
import type { Endpoint } from './endpoint.ts'
import { type Contender, hedged } from './hedge.ts'
import type { Outcome } from './load/load.ts'
import type { OpenPick, PickOptions } from './pick.ts'

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
  readonly deadlines: Deadlines
  /**
   * At once where that is possible; else waits for its turn.
   * @throws HeadraceError `UNAVAILABLE` where there is nobody or nobody's turn comes in time, `BUSY`, `ABORTED`, `CLOSED`.
   */
  pick(
    options: PickOptions,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): OpenPick<Metadata> | Promise<OpenPick<Metadata>>
  /** For a second attempt beside the first: null where there is nobody, or where it would only add to the load. */
  pickHedge(options: PickOptions): OpenPick<Metadata> | null
  /** An attempt failed and another one follows. */
  retried(endpoint: Endpoint<Metadata>, attempt: number, error: unknown): void
  hedged(endpoint: Endpoint<Metadata>, attempt: number): void
}

/** Does `work` at one endpoint, and where that fails and may be repeated, at others. */
export function callThrough<Metadata, Result>(
  route: Route<Metadata>,
  work: Work<Metadata, Result>,
  options: CallOptions,
): Promise<Result> {
  return new Promise((resolve, reject) => new OpenCall(route, work, options, resolve, reject).begin())
}

/** A class without a promise for each step, because a call that needs no second attempt should cost little more than its work. */
class OpenCall<Metadata, Result> implements AttemptOwner<Metadata, Result> {
  readonly classify: (error: unknown) => Outcome
  readonly #route: Route<Metadata>
  readonly #work: Work<Metadata, Result>
  readonly #options: CallOptions
  readonly #deadlineMs: number
  readonly #attempts: number
  readonly #resolve: (result: Result) => void
  readonly #reject: (error: unknown) => void
  #endMs = 0
  #attempt = 0
  #tried: Set<string> | undefined
  #failure: { readonly endpoint: Endpoint<Metadata>; readonly error: unknown } | undefined

  constructor(
    route: Route<Metadata>,
    work: Work<Metadata, Result>,
    options: CallOptions,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ) {
    const { signal, deadlineMs = 10_000, idempotent = false, attempts = 3, classify = outcomeOfError } = options
    const { hedgeAfterMs } = options
    checkNumber('deadlineMs', deadlineMs, { min: 0 })
    checkInteger('attempts', attempts, { min: 1 })
    checkFunction('classify', classify)
    if (hedgeAfterMs !== undefined) {
      checkNumber('hedgeAfterMs', hedgeAfterMs, { min: 0 })
      if (!idempotent) throw new TypeError('hedgeAfterMs needs a call that is idempotent')
    }
    throwIfAborted(signal, 'the call')
    this.classify = classify
    this.#route = route
    this.#work = work
    this.#options = options
    this.#deadlineMs = deadlineMs
    this.#attempts = attempts
    this.#resolve = resolve
    this.#reject = reject
  }

  begin(): void {
    this.#route.budget.deposit()
    const picked = this.#pick(this.#deadlineMs)
    // A pick that was made at once has read the clock, which is a good part of the cost of a call.
    this.#endMs = this.#deadlineMs + (isThenable(picked) ? this.#route.clock.nowMs() : picked.startMs)
    if (isThenable(picked)) picked.then((pick) => this.#goTo(pick), this.#reject)
    else this.#goTo(picked)
  }

  succeeded(result: Result): void {
    this.#resolve(result)
  }

  failed(error: unknown, outcome: Outcome, endpoint: Endpoint<Metadata>): void {
    const { signal, idempotent = false } = this.#options
    const nothingHappened = isHeadraceError(error) && error.retryable
    const isRepeatable = nothingHappened || (idempotent && outcome === 'failure')
    if (!isRepeatable || signal?.aborted || this.#attempt >= this.#attempts || this.#leftMs <= 0) {
      return void this.#reject(error)
    }
    this.#failure = { endpoint, error }
    this.#avoid(endpoint)
    void this.#repeat()
  }

  async #repeat(): Promise<void> {
    try {
      this.#goTo(await this.#pick(this.#leftMs))
    } catch (error) {
      // That nobody is left to try is the consequence; why the others failed is the cause.
      this.#reject(isHeadraceError(error, 'UNAVAILABLE') ? this.#failure!.error : error)
    }
  }

  get #leftMs(): number {
    return this.#endMs - this.#route.clock.nowMs()
  }

  #pick(leftMs: number): OpenPick<Metadata> | Promise<OpenPick<Metadata>> {
    const { key, signal } = this.#options
    return this.#route.pick({ key, exclude: this.#tried, deadlineMs: leftMs }, leftMs, signal)
  }

  #goTo(pick: OpenPick<Metadata>): void {
    const { signal, hedgeAfterMs } = this.#options
    if (this.#failure && !this.#isPaid(pick)) return void this.#reject(this.#failure.error)
    if (hedgeAfterMs === undefined) this.#openAttempt(pick, this, signal).begin(this.#work)
    else void this.#hedge(pick, hedgeAfterMs)
  }

  /** A repetition is paid for when it is certain that it will be sent. */
  #isPaid(pick: OpenPick<Metadata>): boolean {
    const { budget, clock, retried } = this.#route
    if (!budget.withdraw(clock.nowMs())) {
      pick.done('ignored')
      return false
    }
    const { endpoint, error } = this.#failure!
    retried(endpoint, this.#attempt, error)
    return true
  }

  #openAttempt(
    pick: OpenPick<Metadata>,
    owner: AttemptOwner<Metadata, Result>,
    stop: AbortSignal | undefined,
  ): OpenAttempt<Metadata, Result> {
    return new OpenAttempt(++this.#attempt, this.#endMs, pick, owner, this.#route.deadlines, stop)
  }

  #avoid({ id }: Endpoint<Metadata>): void {
    this.#tried ??= new Set()
    this.#tried.add(id)
  }

  async #hedge(first: OpenPick<Metadata>, afterMs: number): Promise<void> {
    // Of the last attempt that failed.
    const last = { outcome: 'ignored' as Outcome, endpoint: first.endpoint }
    const contenderAt = (pick: OpenPick<Metadata>) => this.#contenderAt(pick, last)
    try {
      const second = () => {
        const pick = this.#rivalOf(first)
        return pick && contenderAt(pick)
      }
      this.#resolve(await hedged(this.#route.clock, afterMs, contenderAt(first), second))
    } catch (error) {
      this.failed(error, last.outcome, last.endpoint)
    }
  }

  /** An attempt that can be called off by itself. */
  #contenderAt(pick: OpenPick<Metadata>, last: { outcome: Outcome; endpoint: Endpoint<Metadata> }): Contender<Result> {
    const { classify } = this
    const { signal } = this.#options
    const stop = new AbortController()
    const forward = () => stop.abort(signal?.reason)
    signal?.addEventListener('abort', forward, { once: true })
    const result = new Promise<Result>((resolve, reject) => {
      const failed = (error: unknown, outcome: Outcome, endpoint: Endpoint<Metadata>) => {
        Object.assign(last, { outcome, endpoint })
        reject(error)
      }
      this.#openAttempt(pick, { classify, succeeded: resolve, failed }, stop.signal).begin(this.#work)
    })
    return {
      result: result.finally(() => signal?.removeEventListener('abort', forward)),
      cancel: () => stop.abort(new HeadraceError('ABORTED', 'another attempt was faster')),
    }
  }

  #rivalOf({ endpoint }: OpenPick<Metadata>): OpenPick<Metadata> | null {
    if (this.#attempt >= this.#attempts) return null
    this.#avoid(endpoint)
    const { budget, clock, hedged, pickHedge } = this.#route
    const pick = pickHedge({ key: this.#options.key, exclude: this.#tried, deadlineMs: this.#leftMs })
    if (!pick) return null
    if (!budget.withdraw(clock.nowMs())) {
      pick.done('ignored')
      return null
    }
    hedged(pick.endpoint, this.#attempt + 1)
    return pick
  }
}
