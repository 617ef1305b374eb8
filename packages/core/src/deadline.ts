import type { Clock } from './clock.ts'
import { abortedError, HeadraceError, messageOf } from './errors.ts'

/**
 * Waits for `work` at most `ms`, and no longer than `signal` allows. `work` goes on by itself: what it still
 * delivers after we stopped waiting is handed to `onLate`, so that an acquisition can be undone; a late failure is dropped.
 * An `onLate` that fails has nobody left to tell: it becomes a process warning, `HEADRACE_LATE`.
 * @throws HeadraceError `TIMEOUT` (it may have happened) or `ABORTED`; or what `work` rejects with in time.
 */
export function within<T>(
  clock: Clock,
  ms: number,
  work: PromiseLike<T>,
  options: { signal?: AbortSignal | undefined; onLate?: (value: T) => void; what?: string } = {},
): Promise<T> {
  const { signal, onLate, what = 'the operation' } = options
  return new Promise((resolve, reject) => {
    let waiting = true
    let cancel = () => {}
    const stop = () => {
      waiting = false
      cancel()
      signal?.removeEventListener('abort', abort)
    }
    const abort = () => {
      stop()
      reject(abortedError(signal!, what))
    }
    const undo = async (value: T) => {
      try {
        await onLate?.(value)
      } catch (error) {
        process.emitWarning(`the late result of ${what} was not undone: ${messageOf(error)}`, { code: 'HEADRACE_LATE' })
      }
    }
    // Heard before anything below can throw: a failure that nobody hears ends the process.
    Promise.resolve(work).then(
      (value) => {
        if (!waiting) return undo(value)
        stop()
        resolve(value)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
    cancel = clock.after(ms, () => {
      stop()
      reject(new HeadraceError('TIMEOUT', `${what} gave no answer within ${ms} ms`))
    })
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort)
  })
}
