import { type Clock, isHeadraceError, systemClock, within } from '@headrace/core'

/**
 * The clock of a machine that can be suspended. While it is, the time stands still and no timer fires; afterwards it goes
 * on as if nothing had been. Whoever lives by it cannot know: that is what fencing tokens are for.
 */
export interface SuspendableClock extends Clock {
  suspend(): void
  resume(): void
}

export function suspendableClock(base: Clock = systemClock): SuspendableClock {
  const timers = new Set<{ arm(): void; cancel(): void }>()
  let suspendedAtMs: number | undefined
  let lostMs = 0

  const clock: SuspendableClock = {
    nowMs: () => (suspendedAtMs ?? base.nowMs()) - lostMs,
    wallMs: () => base.wallMs() - (base.nowMs() - clock.nowMs()),
    after(ms, run) {
      const dueMs = clock.nowMs() + Math.max(0, ms)
      let cancel = () => {}
      const timer = {
        arm() {
          cancel = base.after(dueMs - clock.nowMs(), () => {
            timers.delete(timer)
            run()
          })
        },
        cancel: () => cancel(),
      }
      timers.add(timer)
      if (suspendedAtMs === undefined) timer.arm()
      return () => {
        timers.delete(timer)
        cancel()
      }
    },
    async sleep(ms, signal) {
      try {
        await within(clock, ms, new Promise<never>(() => {}), { signal, what: 'the wait' })
      } catch (error) {
        if (!isHeadraceError(error, 'TIMEOUT')) throw error
      }
    },
    suspend() {
      if (suspendedAtMs !== undefined) return
      suspendedAtMs = base.nowMs()
      for (const timer of timers) timer.cancel()
    },
    resume() {
      if (suspendedAtMs === undefined) return
      lostMs += base.nowMs() - suspendedAtMs
      suspendedAtMs = undefined
      for (const timer of [...timers]) timer.arm()
    },
  }
  return clock
}
