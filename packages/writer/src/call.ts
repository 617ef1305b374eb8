import { abortedError, HeadraceError } from '@headrace/core'
import type { Lane } from './lane.ts'
import type { Pending, Receipt, Waiter } from './pending.ts'

/** One call of `write` that waits for its answer, until that comes, its deadline passes or its signal fires. */
export class Call<Command, Result> implements Waiter<Result> {
  readonly dueMs: number
  readonly joined: boolean
  readonly #pending: Pending<Command, Result>
  readonly #lane: Lane<Command, Result>
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (receipt: Receipt<Result>) => void
  readonly #reject: (error: unknown) => void
  readonly #ended: (call: Call<Command, Result>) => void

  constructor(
    pending: Pending<Command, Result>,
    lane: Lane<Command, Result>,
    options: {
      readonly dueMs: number
      readonly joined: boolean
      readonly signal: AbortSignal | undefined
      readonly resolve: (receipt: Receipt<Result>) => void
      readonly reject: (error: unknown) => void
      readonly ended: (call: Call<Command, Result>) => void
    },
  ) {
    this.dueMs = options.dueMs
    this.joined = options.joined
    this.#pending = pending
    this.#lane = lane
    this.#signal = options.signal
    this.#resolve = options.resolve
    this.#reject = options.reject
    this.#ended = options.ended
    pending.waiters = [...pending.waiters, this]
    this.#signal?.addEventListener('abort', this, { once: true })
  }

  resolve(receipt: Receipt<Result>): void {
    this.#end()
    this.#resolve(receipt)
  }

  reject(error: unknown): void {
    this.#end()
    this.#reject(error)
  }

  /** Called by the signal when it aborts. */
  handleEvent(): void {
    this.#giveUp(abortedError(this.#signal!, 'the write'))
  }

  /** Called when the deadline has passed. What that means for the caller depends on how far the write has come. */
  expire(): void {
    const cause = this.#lane.failure
    if (this.#pending.sent) {
      this.#giveUp(new HeadraceError('TIMEOUT', 'the store has not answered in time', { cause }))
    } else if (cause) {
      this.#giveUp(new HeadraceError('UNAVAILABLE', 'the lock or the store could not be used in time', { cause }))
    } else {
      const retryAfterMs = this.#lane.predictMs()
      this.#giveUp(new HeadraceError('BUSY', 'the deadline passed in line', { retryAfterMs }))
    }
  }

  #giveUp(error: HeadraceError): void {
    this.reject(error)
    if (this.#pending.waiters.length === 0) this.#lane.withdraw(this.#pending)
  }

  #end(): void {
    const { waiters } = this.#pending
    this.#pending.waiters = waiters.length === 1 ? [] : waiters.filter((other) => other !== this)
    this.#signal?.removeEventListener('abort', this)
    this.#ended(this)
  }
}
