import type { Due } from './agenda.ts'
import type { Failed, Held, RenewRequest, Standing } from './driver.ts'
import type { LostCause } from './events.ts'
import type { House } from './house.ts'

// What two clocks may differ in speed: NTP slews by at most 500 ppm, twice that for two of them.
const clockDrift = 0.001
// Renewals are due on a common grid, so that the leases of a process are renewed by few calls.
const gridParts = 24

/**
 * One grant of the backend, kept alive by renewal, that one lease after the other uses.
 * A class, as `Line`, `Waiter` and the lease are: these four are made for every acquisition, and methods on a prototype
 * spare a closure each.
 */
export class Tenure implements Due {
  atMs = 0
  place = -1
  readonly startedMs: number
  readonly #house: House
  readonly #owner: { lost(cause: LostCause): void }
  readonly #key: string
  readonly #id: string
  readonly #ttlMs: number
  #token: bigint
  #tokensLeft: number
  #trustedUntilMs = 0
  #trustedUntilWallMs = 0
  #endsMs = Number.POSITIVE_INFINITY
  #renewing = false
  #ended = false

  constructor(
    house: House,
    owner: { lost(cause: LostCause): void },
    grant: { readonly key: string; readonly id: string; readonly ttlMs: number },
    held: Held,
    sentMs: number,
  ) {
    this.#house = house
    this.#owner = owner
    this.#key = grant.key
    this.#id = grant.id
    this.#ttlMs = grant.ttlMs
    this.#token = held.token
    this.#tokensLeft = Math.max(1, held.tokens ?? 1)
    this.startedMs = this.#trust(held, sentMs)
  }

  /**
   * False as soon as the ttl could have ended; asked, never remembered. The monotonic clock stands still while a machine
   * is suspended, the wall clock can be set back: both must agree.
   */
  get trusted(): boolean {
    const { clock } = this.#house
    const nowMs = clock.nowMs()
    const inTime = nowMs < this.#trustedUntilMs && nowMs < this.#endsMs
    return !this.#ended && inTime && clock.wallMs() < this.#trustedUntilWallMs
  }

  /** Why it is not trusted, where that is not told yet. */
  get lapse(): LostCause {
    return this.#house.clock.nowMs() >= this.#endsMs ? 'overdue' : 'expired'
  }

  get trustedForMs(): number {
    if (this.#ended) return 0
    const { clock } = this.#house
    const untilMs = Math.min(this.#trustedUntilMs, this.#endsMs)
    return Math.max(0, Math.min(untilMs - clock.nowMs(), this.#trustedUntilWallMs - clock.wallMs()))
  }

  /** No renewal helps beyond `ms`; for each lease that uses it anew. */
  endBy(ms: number): void {
    this.#endsMs = ms
    if (ms < this.atMs) this.#house.agenda.set(this, ms)
  }

  /** The next fencing token; `undefined` when the reserved ones are used up. */
  nextToken(): bigint | undefined {
    if (!this.#house.supports.fencing) return 0n
    if (this.#tokensLeft === 0) return undefined
    this.#tokensLeft--
    return this.#token++
  }

  /** Ends it: no renewal, no loss. False where it had ended before. */
  end(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#house.agenda.cancel(this)
    return true
  }

  lose(cause: LostCause): void {
    if (this.end()) this.#owner.lost(cause)
  }

  due(): void {
    const { clock, outbox } = this.#house
    if (clock.nowMs() >= Math.min(this.#trustedUntilMs, this.#endsMs)) {
      this.lose(this.lapse)
      return
    }
    // While the answer is out, the next thing that can happen is the end of the trust.
    this.#wake(this.#trustedUntilMs)
    if (this.#renewing) return
    this.#renewing = true
    outbox.renew({ key: this.#key, id: this.#id, ttlMs: this.#ttlMs, waitMs: 0 }, this)
  }

  answered(answer: Standing | Failed, sentMs: number, _request: RenewRequest): void {
    if (this.#ended) return
    this.#renewing = false
    if (answer.state === 'held') this.#trust(answer, sentMs)
    else if (answer.state === 'failed') {
      // Unreachable is not lost: it is tried again until the trust has run out.
      const { clock, emit } = this.#house
      emit?.({ type: 'failed', key: this.#key, operation: 'renew', error: answer.error })
      this.#wake(Math.min(clock.nowMs() + this.#ttlMs / gridParts, this.#trustedUntilMs))
    } else this.lose('gone')
  }

  // Trust counts from when the request was sent: the backend began no earlier, and how much later nobody can know.
  #trust({ sinceMs, ttlMs = this.#ttlMs }: Held, sentMs: number): number {
    const { clock } = this.#house
    const nowMs = clock.nowMs()
    const fromMs = Math.min(sinceMs ?? sentMs, nowMs)
    this.#trustedUntilMs = fromMs + ttlMs * (1 - clockDrift)
    this.#trustedUntilWallMs = clock.wallMs() + this.#trustedUntilMs - nowMs
    const gridMs = ttlMs / gridParts
    const renewAtMs = Math.floor((fromMs + ttlMs / 3) / gridMs) * gridMs
    this.#wake(Math.min(Math.max(renewAtMs, nowMs), this.#trustedUntilMs))
    return nowMs
  }

  #wake(atMs: number) {
    this.#house.agenda.set(this, Math.min(atMs, this.#endsMs))
  }
}
