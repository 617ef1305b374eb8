import { HeadraceError } from '@headrace/core'
import type { LostCause } from './events.ts'
import type { Tenure } from './tenure.ts'

/** What you hold: the key is yours until you release it, or until `signal` aborts. */
export interface Lease extends AsyncDisposable {
  readonly key: string
  /**
   * The fencing token: strictly greater than that of every earlier lease of the key. Send it with each write and let the
   * resource refuse a smaller one. `0n` only where the driver has none and `fencing: 'none'` was chosen.
   */
  readonly token: bigint
  /** Whether the lease can be trusted now. Computed when asked: right on the line after a blocked event loop. */
  readonly held: boolean
  /** For how much longer it could be trusted if no renewal succeeded any more; 0 when it is not held. */
  readonly remainingMs: number
  /** Aborts with a `LOST` error, whose `cause` is a `LostCause`, when the lease can no longer be trusted. Not by `release`. */
  readonly signal: AbortSignal
  /** Aborts when somebody asks for the key with `revoke`. The lease stays valid; letting go soon is a courtesy. */
  readonly wanted: AbortSignal
  /**
   * Runs `work` with the lease's signal: not at all when the lease is lost, and with a `LOST` error instead of its
   * result when the lease was lost meanwhile. What `work` did by then is done: only a fence at the resource undoes it.
   */
  guard<T>(work: (signal: AbortSignal) => Promise<T> | T): Promise<T>
  /**
   * Gives the key back; the same answer however often it is called. False where the lease was lost, or where the backend
   * did not confirm in time that it was held until now; the key is free at the latest when its ttl ends. Never rejects.
   */
  release(): Promise<boolean>
}

const lostWords: Record<LostCause, string> = {
  expired: 'no renewal was confirmed in time',
  gone: 'the backend no longer knows it',
  forced: 'it was taken away',
  overdue: 'it was held for longer than holdMaxMs',
  closed: 'the locks were closed',
}

function lostError(key: string, cause: LostCause): HeadraceError {
  return new HeadraceError('LOST', `the lease on "${key}" is lost: ${lostWords[cause]}`, { cause })
}

/** The lease as its line sees it: what it is told, and whom it is given back to. */
export class HeldLease implements Lease {
  readonly key: string
  readonly token: bigint
  readonly acquiredMs: number
  readonly #tenure: Tenure
  readonly #line: { giveBack(lease: HeldLease): Promise<boolean> }
  // Controllers are made when somebody looks: most leases live and end without.
  #signal: AbortController | undefined = undefined
  #wanted: AbortController | undefined = undefined
  #isWanted = false
  #loss: HeadraceError | undefined = undefined
  #released: Promise<boolean> | undefined = undefined

  constructor(
    key: string,
    token: bigint,
    acquiredMs: number,
    tenure: Tenure,
    line: { giveBack(lease: HeldLease): Promise<boolean> },
  ) {
    this.key = key
    this.token = token
    this.acquiredMs = acquiredMs
    this.#tenure = tenure
    this.#line = line
  }

  get held(): boolean {
    return this.#released === undefined && this.#loss === undefined && this.#tenure.trusted
  }

  get remainingMs(): number {
    return this.#released !== undefined || this.#loss ? 0 : this.#tenure.trustedForMs
  }

  get signal(): AbortSignal {
    if (!this.#signal) {
      this.#signal = new AbortController()
      if (this.#loss) this.#signal.abort(this.#loss)
    }
    return this.#signal.signal
  }

  get wanted(): AbortSignal {
    if (!this.#wanted) {
      this.#wanted = new AbortController()
      if (this.#isWanted) this.#wanted.abort()
    }
    return this.#wanted.signal
  }

  async guard<T>(work: (signal: AbortSignal) => Promise<T> | T): Promise<T> {
    this.#check()
    const result = await work(this.signal)
    this.#check()
    return result
  }

  release(): Promise<boolean> {
    this.#released ??= this.#loss ? Promise.resolve(false) : this.#line.giveBack(this)
    return this.#released
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }

  lost(cause: LostCause): void {
    if (this.#released !== undefined || this.#loss) return
    this.#loss = lostError(this.key, cause)
    this.#signal?.abort(this.#loss)
  }

  asked(): void {
    this.#isWanted = true
    this.#wanted?.abort()
  }

  #check() {
    // A timer cannot fire while the event loop is blocked, so the question is asked, not remembered.
    if (this.held) return
    if (this.#released !== undefined) throw new HeadraceError('LOST', `the lease on "${this.key}" was released`)
    throw this.#loss ?? lostError(this.key, this.#tenure.lapse)
  }
}
