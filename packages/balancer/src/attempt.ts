import type { Endpoint } from './endpoint.ts'

/** What a piece of work is told besides its endpoint. */
export interface Attempt {
  /** Aborts when nobody waits for this attempt any more: hand it on to whatever does the work. */
  readonly signal: AbortSignal
  /** 1 for the first. */
  readonly attempt: number
}

export type Work<Metadata, Result> = (endpoint: Endpoint<Metadata>, attempt: Attempt) => Promise<Result> | Result

/** A class, because a literal with a getter costs more than all the rest of an attempt. */
export class OpenAttempt implements Attempt {
  readonly attempt: number
  #failure: { readonly reason: unknown } | undefined
  #controller: AbortController | undefined

  constructor(attempt: number) {
    this.attempt = attempt
  }

  // Made when asked for, because most work does not ask, and it is not cheap either.
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      if (this.#failure) this.#controller.abort(this.#failure.reason)
    }
    return this.#controller.signal
  }

  /** Nobody waits any more. */
  fail(reason: unknown): void {
    this.#failure = { reason }
    this.#controller?.abort(reason)
  }
}
