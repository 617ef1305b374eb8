import type { HeadraceError } from '@headrace/core'
import { type ManualClock, manualClock } from '@headrace/core/testing'
import {
  createLocks,
  type LockDriver,
  type LockEvent,
  type LockSession,
  type Locks,
  type LocksOptions,
} from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'

export const never = (): Promise<never> => new Promise<never>(() => {})

/** A driver whose session is changed by the test. */
export function changed(driver: LockDriver, change: (good: LockSession) => Partial<LockSession>): LockDriver {
  return {
    ...driver,
    open(events) {
      const good = driver.open(events)
      return { ...good, ...change(good) }
    },
  }
}

export function setup(
  options: LocksOptions & { change?: (good: LockSession, clock: ManualClock) => Partial<LockSession> } = {},
): { clock: ManualClock; driver: LockDriver; locks: Locks; others: Locks; events: LockEvent[] } {
  const { change, ...rest } = options
  const clock = manualClock()
  const driver = memoryLocks({ clock })
  const events: LockEvent[] = []
  const locks = createLocks(change ? changed(driver, (good) => change(good, clock)) : driver, {
    clock,
    observe: (event) => events.push(event),
    ...rest,
  })
  /** Another process: it sees the same keys through its own session, without the changes. */
  const others = createLocks(driver, { clock })
  return { clock, driver, locks, others, events }
}

/** How a promise ends, and when. */
export const ending = (
  clock: ManualClock,
  work: Promise<unknown>,
): Promise<{ value?: unknown; code?: string; atMs: number }> =>
  work.then(
    (value) => ({ value, atMs: clock.nowMs() }),
    (error: HeadraceError) => ({ code: error.code, atMs: clock.nowMs() }),
  )
