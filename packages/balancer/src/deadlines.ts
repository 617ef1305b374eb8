import type { Clock } from '@headrace/core'

/** Something that has to be over at a certain time. */
export interface Due {
  readonly dueMs: number
  /** False once it is over. */
  readonly isOpen: boolean
  /** It is still open at its time. Must not throw. */
  expire(): void
}

/** One timer for many deadlines: setting one of the event loop for each call costs more than all the rest of the call. */
export interface Deadlines {
  add(due: Due): void
  /** One that was added is over in time. */
  over(): void
}

// Times are sums of fractions, and one that is short of the deadline by its last digit must not be waited for.
const noTimeMs = 1e-6

export function createDeadlines(clock: Clock): Deadlines {
  // A binary heap by time. What is over stays in it until it is at the top, or until most of it is.
  let heap: Due[] = []
  let open = 0
  let armedForMs = Number.POSITIVE_INFINITY
  let disarm = () => {}
  let isIdling = false

  function add(due: Due): void {
    open++
    push(due)
    if (due.dueMs < armedForMs) arm(due.dueMs)
  }

  function push(due: Due): void {
    let at = heap.length
    heap.push(due)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.dueMs <= due.dueMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = due
  }

  /** Takes the first off. */
  function shift(): void {
    const last = heap.pop()!
    const size = heap.length
    if (size === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && heap[child + 1]!.dueMs < heap[child]!.dueMs) child++
      if (heap[child]!.dueMs >= last.dueMs) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }

  function arm(dueMs: number): void {
    disarm()
    armedForMs = dueMs
    disarm = clock.after(dueMs - clock.nowMs(), fire)
  }

  function fire(): void {
    armedForMs = Number.POSITIVE_INFINITY
    const nowMs = clock.nowMs()
    while (heap.length > 0) {
      const first = heap[0]!
      if (first.isOpen && first.dueMs - nowMs > noTimeMs) break
      shift()
      if (first.isOpen) first.expire()
    }
    // What has expired may have added another one.
    if (heap.length > 0 && heap[0]!.dueMs < armedForMs) arm(heap[0]!.dueMs)
  }

  function over(): void {
    open--
    if (heap.length > 2 * open + 64) {
      const rest = heap.filter(({ isOpen }) => isOpen)
      heap = []
      for (const due of rest) push(due)
    }
    // Only when nothing comes in the same turn, because a timer that is set and taken back for each call is what this is against.
    if (open > 0 || isIdling) return
    isIdling = true
    setImmediate(() => {
      isIdling = false
      if (open > 0) return
      heap = []
      armedForMs = Number.POSITIVE_INFINITY
      disarm()
    })
  }

  return { add, over }
}
