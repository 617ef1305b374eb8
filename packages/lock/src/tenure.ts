import type { Appointment } from './agenda.ts'
import type { Held } from './driver.ts'
import type { LostCause } from './events.ts'
import type { House } from './house.ts'

/** One grant of the backend, kept alive by renewal, that one lease after the other uses. */
export interface Tenure {
  readonly key: string
  readonly id: string
  readonly ttlMs: number
  readonly startedMs: number
  /** False as soon as the ttl could have ended, also right after the process was stopped; asked, never remembered. */
  readonly trusted: boolean
  readonly trustedForMs: number
  /** The next fencing token; `undefined` when the reserved ones are used up. */
  nextToken(): bigint | undefined
  /** Ends it: no renewal, no loss. False where it had ended before. */
  end(): boolean
  lose(cause: LostCause): void
}

// What two clocks may differ in speed: NTP slews by at most 500 ppm, twice that for two of them.
const clockDrift = 0.001
// Renewals are due on a common grid, so that the leases of a process are renewed by few calls.
const gridParts = 24

export function createTenure(
  house: House,
  options: {
    readonly key: string
    readonly id: string
    readonly ttlMs: number
    readonly held: Held
    readonly sentMs: number
    readonly lost: (cause: LostCause) => void
  },
): Tenure {
  const { clock, agenda, outbox, emit } = house
  const { key, id, ttlMs, held } = options
  const startedMs = clock.nowMs()
  let token = held.token
  let tokensLeft = Math.max(1, held.tokens ?? 1)
  let trustedUntilMs: number
  let trustedUntilWallMs: number
  let due: Appointment | undefined
  let ended = false

  // Trust counts from when the request was sent: the backend began no earlier, and how much later nobody can know.
  const trust = (sinceMs: number, validMs: number) => {
    const nowMs = clock.nowMs()
    trustedUntilMs = Math.min(sinceMs, nowMs) + validMs * (1 - clockDrift)
    trustedUntilWallMs = clock.wallMs() + trustedUntilMs - nowMs
    const thirdMs = validMs / 3
    const gridMs = validMs / gridParts
    const renewAtMs = Math.floor((sinceMs + thirdMs) / gridMs) * gridMs
    agenda.cancel(due)
    due = agenda.at(Math.min(Math.max(renewAtMs, nowMs), trustedUntilMs), renewAtMs < trustedUntilMs ? renew : expire)
  }
  const expire = () => tenure.lose('expired')
  const renew = () => {
    if (clock.nowMs() >= trustedUntilMs) return expire()
    // While the answer is out, the next thing that can happen is the end of the trust.
    due = agenda.at(trustedUntilMs, expire)
    outbox.renew({ key, id, ttlMs, waitMs: 0 }, (answer, sentMs) => {
      if (ended) return
      if (answer.state === 'held') trust(answer.sinceMs ?? sentMs, answer.ttlMs ?? ttlMs)
      else if (answer.state === 'failed') {
        // Unreachable is not lost: it is tried again until the trust has run out.
        emit?.({ type: 'failed', key, operation: 'renew', error: answer.error })
        agenda.cancel(due)
        due = agenda.at(Math.min(clock.nowMs() + ttlMs / gridParts, trustedUntilMs), renew)
      } else tenure.lose('gone')
    })
  }

  const tenure: Tenure = {
    key,
    id,
    ttlMs,
    startedMs,
    // The monotonic clock stands still while a machine is suspended, the wall clock can be set back: both must agree.
    get trusted() {
      return !ended && clock.nowMs() < trustedUntilMs && clock.wallMs() < trustedUntilWallMs
    },
    get trustedForMs() {
      return ended ? 0 : Math.max(0, Math.min(trustedUntilMs - clock.nowMs(), trustedUntilWallMs - clock.wallMs()))
    },
    nextToken() {
      if (!house.supports.fencing) return 0n
      if (tokensLeft === 0) return undefined
      tokensLeft--
      return token++
    },
    end() {
      if (ended) return false
      ended = true
      agenda.cancel(due)
      return true
    },
    lose(cause) {
      if (tenure.end()) options.lost(cause)
    },
  }
  trust(held.sinceMs ?? options.sentMs, held.ttlMs ?? ttlMs)
  return tenure
}
