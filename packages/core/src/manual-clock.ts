import { checkNumber } from './checks.ts'
import { type Clock, clockFrom } from './clock.ts'

/** Time that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /**
   * Moves time forward by `ms`: what is due runs in order of time, and promises settle in between. A timer that throws
   * makes it reject, with the time left at that timer.
   * @throws RangeError unless `ms` is finite and not negative.
   */
  advance(ms: number): Promise<void>
  /** Lets everything happen that needs no time: promises and immediates settle. */
  settle(): Promise<void>
  /** Timers that wait. A test ends with 0: a timer left over is a leak in the code under test. */
  readonly pending: number
}

/** @param wallStartMs what `wallMs` says at the start; 2026-01-01 by default. */
export function manualClock(wallStartMs = 1_767_225_600_000): ManualClock {
  let now = 0
  let due: { readonly at: number; readonly run: () => void }[] = []
  // One turn of the loop runs every microtask there is; two more let what an immediate started settle too.
  const settle = async () => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  const clock = clockFrom({
    nowMs: () => now,
    wallMs: () => wallStartMs + now,
    after(ms, run) {
      const entry = { at: now + ms, run }
      const later = due.findIndex((other) => other.at > entry.at)
      due.splice(later === -1 ? due.length : later, 0, entry)
      return () => {
        due = due.filter((other) => other !== entry)
      }
    },
  })
  return {
    ...clock,
    get pending() {
      return due.length
    },
    settle,
    async advance(ms) {
      checkNumber('ms', ms, { min: 0 })
      const end = now + ms
      await settle()
      while (due[0] && due[0].at <= end) {
        const next = due.shift()!
        now = Math.max(now, next.at)
        next.run()
        await settle()
      }
      // Another advance that was not awaited may have gone further.
      now = Math.max(now, end)
    },
  }
}
