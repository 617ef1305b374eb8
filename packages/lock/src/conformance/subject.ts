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
  /** The ttl that the rules use. Short, because rules wait for its end; not below 200 ms where time is real. */
  readonly ttlMs: number
  /** How long a rule waits, in real time, for what must come without being asked for. 3 s by default. */
  readonly patienceMs?: number
  /** Lets time pass on both sides. */
  elapse(ms: number): Promise<void>
}

export type LockRule = Rule<LockSubject, LockSupports>

/** Registers a sentence about two sessions, `a` and `b`, on the same keys. */
export function lockRule(
  name: string,
  check: (the: LockSubject & { readonly a: Guest; readonly b: Guest }) => Promise<void>,
  needs?: (supports: LockSupports) => boolean,
): LockRule {
  return {
    name,
    ...(needs && { needs }),
    async check(subject) {
      const a = openGuest(subject.driver, subject)
      const b = openGuest(subject.peer, subject)
      try {
        await check({ ...subject, a, b })
      } finally {
        await Promise.all([a.session.close(), b.session.close()])
      }
    },
  }
}
