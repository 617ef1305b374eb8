import { abortedError } from './errors.ts'

/** The source of time of every component. Give a manual one to test without waiting. */
export interface Clock {
  /** Monotonic milliseconds since some moment of this process. Never compared across machines. */
  nowMs(): number
  /** Milliseconds since 1970. Can jump; for what is stored or shown, never for measuring a duration. */
  wallMs(): number
  /** Resolves after `ms`; rejects with `ABORTED` in the turn in which `signal` aborts. Does not keep the process alive longer than its timer. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Runs `run` once after `ms`, unless the returned function is called before. A run that throws is the caller's bug. */
  after(ms: number, run: () => void): () => void
}

/** Builds a clock from its three primitives; `sleep` follows from `after`. */
export function clockFrom(source: Pick<Clock, 'nowMs' | 'wallMs' | 'after'>): Clock {
  return {
    ...source,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortedError(signal, 'the wait'))
        const abort = () => {
          cancel()
          reject(abortedError(signal!, 'the wait'))
        }
        const cancel = source.after(ms, () => {
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
    const end = performance.now() + ms
    let timer: ReturnType<typeof setTimeout>
    const arm = (leftMs: number) => {
      timer = leftMs > timerMaxMs ? setTimeout(() => arm(end - performance.now()), timerMaxMs) : setTimeout(run, leftMs)
    }
    arm(ms)
    return () => clearTimeout(timer)
  },
})
