import type { Clock } from '@headrace/core'

/** Something that is due at a moment. Made by its owner, so that a lease or a waiter needs no object beside itself. */
export interface Due {
  atMs: number
  /** Its place in the heap; -1 where it is not in it. */
  place: number
  due(): void
}

/** Many deadlines behind one timer: a lease or a waiter costs no timer of its own. */
export interface Agenda {
  /** Sets the moment of `what`, or moves it. */
  set(what: Due, atMs: number): void
  cancel(what: Due): void
}

/** A binary heap whose entries know their place, so that one that is cancelled leaves nothing behind. */
export function createAgenda(clock: Clock): Agenda {
  const heap: Due[] = []
  let disarm: (() => void) | undefined
  let armedForMs = Number.POSITIVE_INFINITY
  let restingSoon = false

  const put = (what: Due, place: number) => {
    heap[place] = what
    what.place = place
  }
  const rise = (what: Due, from: number) => {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (heap[parent]!.atMs <= what.atMs) break
      put(heap[parent]!, place)
      place = parent
    }
    put(what, place)
  }
  const sink = (what: Due, from: number) => {
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++
      if (heap[child]!.atMs >= what.atMs) break
      put(heap[child]!, place)
      place = child
    }
    put(what, place)
  }
  const remove = (what: Due) => {
    const last = heap.pop()!
    if (last !== what) {
      rise(last, what.place)
      sink(last, last.place)
    }
    what.place = -1
  }
  // Only an earlier moment re-arms: a timer that comes too early finds nothing due and arms itself again.
  const arm = () => {
    const nextMs = heap[0]?.atMs
    if (nextMs === undefined || nextMs >= armedForMs) return
    disarm?.()
    armedForMs = nextMs
    disarm = clock.after(nextMs - clock.nowMs(), runDue)
  }
  // Callers that take one lease after the other leave the agenda empty for a moment each time. A timer that were set and
  // cleared for each of them would cost more than everything else here.
  const rest = () => {
    restingSoon = false
    if (heap.length > 0) return
    disarm?.()
    disarm = undefined
    armedForMs = Number.POSITIVE_INFINITY
  }
  const runDue = () => {
    disarm = undefined
    armedForMs = Number.POSITIVE_INFINITY
    const nowMs = clock.nowMs()
    while (heap[0] && heap[0].atMs <= nowMs) {
      const first = heap[0]
      remove(first)
      first.due()
    }
    arm()
  }

  return {
    set(what, atMs) {
      if (what.place >= 0) remove(what)
      what.atMs = atMs
      rise(what, heap.length)
      arm()
    },
    cancel(what) {
      if (what.place < 0) return
      remove(what)
      if (heap.length > 0 || restingSoon) return
      restingSoon = true
      process.nextTick(rest)
    },
  }
}
