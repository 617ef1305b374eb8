import type { Clock } from '@headrace/core'

/** One of two attempts at the same work. */
export interface Contender<Result> {
  readonly result: Promise<Result>
  /** Nobody needs it any more. */
  cancel(): void
}

/**
 * The first good answer of one contender, or of two where the first takes longer than `afterMs` (J. Dean and L. Barroso,
 * "The tail at scale", 2013). The other one is cancelled.
 * @param second may give null where a second one is not to be afforded.
 * @throws what the last of them failed with.
 */
export async function hedged<Result>(
  clock: Clock,
  afterMs: number,
  first: Contender<Result>,
  second: () => Contender<Result> | null,
): Promise<Result> {
  let other: Contender<Result> | null = null
  return new Promise<Result>((resolve, reject) => {
    let running = 1
    const stopWaiting = clock.after(afterMs, () => {
      other = second()
      if (!other) return
      running++
      watch(other, first)
    })
    const watch = (one: Contender<Result>, rival: Contender<Result> | null) => {
      one.result.then(
        (result) => {
          stopWaiting()
          resolve(result)
          // It may have begun after this one was watched.
          ;(rival ?? other)?.cancel()
        },
        (error: unknown) => {
          // A failure before the time is for the retry; there is nothing to hedge any more.
          stopWaiting()
          if (--running === 0) reject(error)
        },
      )
    }
    watch(first, null)
  })
}
