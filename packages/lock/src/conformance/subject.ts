import type { Clock } from '@headrace/core'
import type { Rule } from '@headrace/core/testing'
import type { LockDriver, LockSupports } from '../driver.ts'
import { type Guest, openGuest } from './session.ts'

/** What a driver's test file hands to the suite. */
export interface LockSubject {
  readonly driver: LockDriver
  /** Sees the same keys through another connection; the same driver where it has none. */
  readonly peer: LockDriver
  /** The clock of the client side. */
  readonly clock: Clock
  /** The ttl for whose end rules wait, so a short one; not below 200 ms where time is real. */
  readonly ttlMs: number
  /** For how long, by `clock`, a lease of that ttl is kept without renewal at least; `ttlMs` by default. */
  readonly keptMs?: number
  /** How long a rule waits, in real time, for what must come without being asked for. 3 s by default. */
  readonly patienceMs?: number
  /** Lets time pass on both sides. */
  elapse(ms: number): Promise<void>
}

export type LockRule = Rule<LockSubject, LockSupports>

/** A subject with two sessions on the same keys. */
export interface Scene extends LockSubject {
  readonly a: Guest
  readonly b: Guest
  /** A ttl that does not end while a rule is checked, however busy the machine is. */
  readonly longMs: number
}

/** Registers a sentence about two sessions, `a` and `b`, whose requests have a ttl that does not end meanwhile. */
export function lockRule(
  name: string,
  check: (the: Scene) => Promise<void>,
  needs?: (supports: LockSupports) => boolean,
): LockRule {
  return ruleWith(name, check, ({ longMs }) => longMs, needs)
}

/** As `lockRule`, for a sentence about the end of the ttl: requests have the short one. */
export function expiryRule(
  name: string,
  check: (the: Scene) => Promise<void>,
  needs?: (supports: LockSupports) => boolean,
): LockRule {
  return ruleWith(name, check, ({ ttlMs }) => ttlMs, needs)
}

function ruleWith(
  name: string,
  check: (the: Scene) => Promise<void>,
  ttlOf: (the: { readonly ttlMs: number; readonly longMs: number }) => number,
  needs: ((supports: LockSupports) => boolean) | undefined,
): LockRule {
  return {
    name,
    ...(needs && { needs }),
    async check(subject) {
      const { driver, peer, ttlMs } = subject
      const longMs = Math.max(ttlMs, Math.min(60_000, driver.supports.ttlMaxMs))
      const guest = { ...subject, ttlMs: ttlOf({ ttlMs, longMs }) }
      const a = openGuest(driver, guest)
      const b = openGuest(peer, guest)
      try {
        await check({ ...subject, a, b, longMs })
      } finally {
        await Promise.all([a.session.close(), b.session.close()])
      }
    },
  }
}

// The last one with a ttl of 16 times that of the first.
const attemptsMax = 5

/**
 * Checks what is true only while a lease of a short ttl lives. On a busy machine more may pass between two requests; what
 * was seen then says nothing, and it is looked at again, with another key and twice the ttl. Names must be others, too.
 * @param check begins a span before each request whose ttl it counts on, and ends it when that no longer matters.
 */
export async function inTime(
  { clock, ttlMs, keptMs = ttlMs }: LockSubject,
  check: (key: string, ttlMs: number, span: () => () => void) => Promise<void>,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const running = new Set<() => void>()
    let longestMs = 0
    const span = () => {
      const sinceMs = clock.nowMs()
      const end = () => {
        if (running.delete(end)) longestMs = Math.max(longestMs, clock.nowMs() - sinceMs)
      }
      running.add(end)
      return end
    }
    const failure = await check(`k${attempt}`, ttlMs * 2 ** attempt, span).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    for (const end of running) end()
    const late = longestMs >= keptMs * 2 ** attempt
    if (!failure && !late) return
    if (failure && !late) throw failure.error
    if (attempt + 1 < attemptsMax) continue
    throw failure?.error ?? new Error(`this machine is too busy for a ttl of ${ttlMs} ms`)
  }
}
