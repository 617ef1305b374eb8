import { checkInteger } from './checks.ts'
import { abortedError, HeadraceError, throwIfAborted } from './errors.ts'

/** Lets a bounded number of tasks run at once, and a bounded number wait, in order of arrival. */
export interface Limiter {
  /**
   * Runs `task` when its turn comes.
   * @throws HeadraceError `BUSY` at once when the waiting room is full; `ABORTED` when `signal` fires before the turn
   * (a task that has begun is not stopped by it). A task that never settles keeps its place: bound it with `within`.
   */
  run<T>(task: () => Promise<T> | T, signal?: AbortSignal): Promise<T>
  readonly running: number
  readonly waiting: number
}

/**
 * @param options.concurrency how many tasks run at once.
 * @param options.waitingMax how many may wait for their turn; 1,000 by default.
 */
export function createLimiter(options: { readonly concurrency: number; readonly waitingMax?: number }): Limiter {
  const { concurrency, waitingMax = 1_000 } = options
  checkInteger('concurrency', concurrency, { min: 1 })
  checkInteger('waitingMax', waitingMax, { min: 0 })
  // A Set keeps the order of insertion and forgets one that gives up in constant time.
  const waiting = new Set<() => void>()
  let running = 0

  const turn = (signal: AbortSignal | undefined) =>
    new Promise<void>((resolve, reject) => {
      const begin = () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const abort = () => {
        waiting.delete(begin)
        reject(abortedError(signal!, 'the wait for a turn'))
      }
      waiting.add(begin)
      signal?.addEventListener('abort', abort, { once: true })
    })

  return {
    async run(task, signal) {
      throwIfAborted(signal, 'the wait for a turn')
      if (running < concurrency) running++
      else if (waiting.size >= waitingMax) throw new HeadraceError('BUSY', `${waiting.size} tasks are waiting already`)
      else await turn(signal)
      try {
        // The signal can fire between the hand-over of the place and this line.
        throwIfAborted(signal, 'the wait for a turn')
        return await task()
      } finally {
        // The place goes straight to the next in line, so that a newcomer cannot slip in between.
        const [next] = waiting
        if (next) {
          waiting.delete(next)
          next()
        } else running--
      }
    },
    get running() {
      return running
    },
    get waiting() {
      return waiting.size
    },
  }
}
