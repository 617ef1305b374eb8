import { abortedError, HeadraceError } from '@headrace/core'
import type { Deadlines, Due } from './deadlines.ts'
import type { Endpoint } from './endpoint.ts'
import { checkOutcome, type Outcome } from './load/load.ts'
import type { OpenPick } from './pick.ts'

/** What a piece of work is told besides its endpoint. */
export interface Attempt {
  /** Aborts when nobody waits for this attempt any more: hand it on to whatever does the work. */
  readonly signal: AbortSignal
  /** 1 for the first. */
  readonly attempt: number
}

export type Work<Metadata, Result> = (endpoint: Endpoint<Metadata>, attempt: Attempt) => Promise<Result> | Result

/** Who is told how an attempt ended: once, by one of the two. */
export interface AttemptOwner<Metadata, Result> {
  readonly classify: (error: unknown) => Outcome
  succeeded(result: Result): void
  failed(error: unknown, outcome: Outcome, endpoint: Endpoint<Metadata>): void
}

/**
 * One attempt at one endpoint: over when the work is, at its deadline, and in the turn in which `stop` aborts. A class, because
 * a literal with a getter and promises put together cost several times as much.
 */
export class OpenAttempt<Metadata, Result> implements Attempt, Due {
  readonly attempt: number
  readonly dueMs: number
  readonly #pick: OpenPick<Metadata>
  /** Undefined when it is over: the deadlines may keep it for a while, and must not keep its result. */
  #owner: AttemptOwner<Metadata, Result> | undefined
  readonly #deadlines: Deadlines
  readonly #stop: AbortSignal | undefined
  #isTimed = false
  #failure: { readonly reason: unknown } | undefined
  #controller: AbortController | undefined

  constructor(
    attempt: number,
    dueMs: number,
    pick: OpenPick<Metadata>,
    owner: AttemptOwner<Metadata, Result>,
    deadlines: Deadlines,
    stop: AbortSignal | undefined,
  ) {
    this.attempt = attempt
    this.dueMs = dueMs
    this.#pick = pick
    this.#owner = owner
    this.#deadlines = deadlines
    this.#stop = stop
  }

  // Made when asked for, because most work does not ask, and it is not cheap either.
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#failure) this.#controller.abort(this.#failure.reason)
    }
    return this.#controller.signal
  }

  get isOpen(): boolean {
    return this.#owner !== undefined
  }

  begin(work: Work<Metadata, Result>): void {
    let given: Promise<Result> | Result
    let promised: Promise<Result> | undefined
    try {
      given = work(this.#pick.endpoint, this)
      if (isThenable(given)) promised = Promise.resolve(given)
    } catch (error) {
      return void this.#fail(error)
    }
    if (!promised) return void this.#succeed(given as Result)
    // Heard before anything below can end it: a failure that nobody hears ends the process.
    promised.then(
      (result) => this.#succeed(result),
      (error: unknown) => this.#fail(error),
    )
    this.#isTimed = true
    this.#deadlines.add(this)
    if (this.#stop?.aborted) this.handleEvent()
    else this.#stop?.addEventListener('abort', this)
  }

  expire(): void {
    const ms = Math.round(this.dueMs - this.#pick.startMs)
    this.#fail(new HeadraceError('TIMEOUT', `${this.#what} gave no answer within ${ms} ms`))
  }

  /** Of `stop`. */
  handleEvent(): void {
    this.#fail(abortedError(this.#stop!, this.#what))
  }

  get #what(): string {
    return `the work at "${this.#pick.endpoint.id}"`
  }

  #succeed(result: Result): void {
    const owner = this.#end()
    if (!owner) return
    this.#pick.done('success')
    owner.succeeded(result)
  }

  #fail(error: unknown): void {
    const owner = this.#end()
    if (!owner) return
    this.#failure = { reason: error }
    this.#controller?.abort(error)
    let outcome: Outcome = 'ignored'
    let reason = error
    try {
      // What stops because nobody wants it any more says nothing of who did it.
      if (!this.#stop?.aborted) outcome = classified(owner, error)
    } catch (thrown) {
      reason = thrown
    }
    this.#pick.done(outcome)
    owner.failed(reason, outcome, this.#pick.endpoint)
  }

  /** @returns who is to be told, if that has not been done. */
  #end(): AttemptOwner<Metadata, Result> | undefined {
    const owner = this.#owner
    if (owner && this.#isTimed) {
      this.#deadlines.over()
      this.#stop?.removeEventListener('abort', this)
    }
    this.#owner = undefined
    return owner
  }
}

function classified({ classify }: AttemptOwner<never, never>, error: unknown): Outcome {
  const outcome = classify(error)
  checkOutcome(outcome)
  return outcome
}

export function isThenable<Result>(value: Promise<Result> | Result): value is Promise<Result> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
