import type { Clock } from '@headrace/core'

/** Has a batch that is not full wait for company, once. */
export interface Linger {
  /** Whether what is ready should wait; then `over` is called when it has. */
  for(ready: number): boolean
  stop(): void
}

export function createLinger(clock: Clock, lingerMs: number, sizeMax: number, over: () => void): Linger {
  let lingered = false
  let cancel: (() => void) | undefined

  function stop(): void {
    lingered = false
    cancel?.()
    cancel = undefined
  }

  return {
    for(ready) {
      if (lingerMs === 0) return false
      if (lingered || ready >= sizeMax) {
        stop()
        return false
      }
      cancel ??= clock.after(lingerMs, () => {
        cancel = undefined
        lingered = true
        over()
      })
      return true
    },
    stop,
  }
}
