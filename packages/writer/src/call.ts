import { abortedError, type HeadraceError } from '@headrace/core'
import type { Lane } from './lane.ts'
import { isWanted, type Pending, type Receipt, type Waiter } from './pending.ts'

/** One call of `write` that waits for its answer, until that comes, its deadline passes or its signal fires. */
export class Call<Command, Result> implements Waiter<Result> {
  readonly dueMs: number
  /** The id was already under way when this call came. */
  readonly joined: boolean
  readonly #pending: Pending<Command, Result>
  readonly #lane: Lane<Command, Result>
  readonly #signal: AbortSignal | undefined
  readonly #resolve: (receipt: Receipt<Result>) => void
  readonly #reject: (error: unknown) => void
  readonly #ended: (call: Call<Command, Result>, receipt?: Receipt<Result>) => void

  constructor(
    pending: Pending<Command, Result>,
    lane: Lane<Command, Result>,
    options: {
      readonly dueMs: number
      readonly joined: boolean
      readonly signal: AbortSignal | undefined
      readonly resolve: (receipt: Receipt<Result>) => void
      readonly reject: (error: unknown) => void
      /** It no longer waits; with the receipt where there is one. */
      readonly ended: (call: Call<Command, Result>, receipt?: Receipt<Result>) => void
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
    if (!this.joined) pending.waiter = this
    else {
      pending.joined ??= new Set()
      pending.joined.add(this)
    }
    this.#signal?.addEventListener('abort', this, { once: true })
  }

  resolve(receipt: Receipt<Result>): void {
    this.#end(receipt)
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

  /** Called when the deadline has passed. */
  expire(): void {
    this.#giveUp(this.#lane.overdue(this.#pending))
  }

  #giveUp(error: HeadraceError): void {
    this.reject(error)
    if (!isWanted(this.#pending)) this.#lane.withdraw(this.#pending)
  }

  #end(receipt?: Receipt<Result>): void {
    if (!this.joined) this.#pending.waiter = undefined
    else this.#pending.joined?.delete(this)
    this.#signal?.removeEventListener('abort', this)
    this.#ended(this, receipt)
  }
}
