import { checkNumber } from './checks.ts'
import { abortedError } from './errors.ts'

/** The source of time of every component. Give a manual one to test without waiting. */
export interface Clock {
  /** Monotonic milliseconds since some moment of this process. Never compared across machines. */
  nowMs(): number
  /** Milliseconds since 1970. Can jump; for what is stored or shown, never for measuring a duration. */
  wallMs(): number
  /** Resolves after `ms`, timed as by `after`; rejects with `ABORTED` in the turn in which `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Runs `run` once, never before `ms` have passed by `nowMs`, unless the returned function is called first. A time in
   * the past counts as 0, `Infinity` never comes. A run that throws is the caller's bug.
   * @throws RangeError when `ms` is NaN.
   */
  after(ms: number, run: () => void): () => void
}

/** Builds a clock from its three primitives; `sleep` follows from `after`. */
export function clockFrom(source: Pick<Clock, 'nowMs' | 'wallMs' | 'after'>): Clock {
  const after: Clock['after'] = (ms, run) => {
    checkNumber('ms', ms, { max: Number.POSITIVE_INFINITY })
    return source.after(Math.max(0, ms), run)
  }
  return {
    ...source,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortedError(signal, 'the wait'))
        const abort = () => {
          cancel()
          reject(abortedError(signal!, 'the wait'))
        }
        const cancel = after(ms, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      }),
  }
}

// Node turns a longer delay into 1 ms, with a warning.
const timerMaxMs = 2 ** 31 - 1

/** Time of this machine: monotonic from `performance.now`, timers of the event loop. */
export const systemClock: Clock = clockFrom({
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, run) {
    const endMs = performance.now() + ms
    let timer: ReturnType<typeof setTimeout>
    const arm = (leftMs: number) => {
      timer = setTimeout(fire, Math.min(Math.ceil(leftMs), timerMaxMs))
    }
    // The event loop counts whole milliseconds and can wake a little early, when what should be over is not yet.
    const fire = () => {
      const leftMs = endMs - performance.now()
      if (leftMs > 0) arm(leftMs)
      else run()
    }
    arm(ms)
    return () => clearTimeout(timer)
  },
})
