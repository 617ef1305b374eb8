import type { Clock } from '@headrace/core'

/** A moment in an agenda. */
export interface Appointment {
  readonly atMs: number
  readonly run: () => void
  /** Its place in the heap; -1 where it is not in it. */
  place: number
}

/** Many deadlines behind one timer: a lease or a waiter costs no timer of its own. */
export interface Agenda {
  at(atMs: number, run: () => void): Appointment
  cancel(appointment: Appointment | undefined): void
}

/** A binary heap whose entries know their place, so that one that is cancelled leaves nothing behind. */
export function createAgenda(clock: Clock): Agenda {
  const heap: Appointment[] = []
  let disarm: (() => void) | undefined
  let armedForMs = Number.POSITIVE_INFINITY

  const put = (appointment: Appointment, place: number) => {
    heap[place] = appointment
    appointment.place = place
  }
  const rise = (appointment: Appointment, from: number) => {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (heap[parent]!.atMs <= appointment.atMs) break
      put(heap[parent]!, place)
      place = parent
    }
    put(appointment, place)
  }
  const sink = (appointment: Appointment, from: number) => {
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.atMs < heap[child]!.atMs) child++
      if (heap[child]!.atMs >= appointment.atMs) break
      put(heap[child]!, place)
      place = child
    }
    put(appointment, place)
  }
  const remove = (appointment: Appointment) => {
    const last = heap.pop()!
    if (last !== appointment) {
      rise(last, appointment.place)
      sink(last, last.place)
    }
    appointment.place = -1
  }
  // Only an earlier moment re-arms: a timer that comes too early finds nothing due and arms itself again.
  const arm = () => {
    const nextMs = heap[0]?.atMs
    if (nextMs === undefined) {
      disarm?.()
      disarm = undefined
      armedForMs = Number.POSITIVE_INFINITY
    } else if (nextMs < armedForMs) {
      disarm?.()
      armedForMs = nextMs
      disarm = clock.after(nextMs - clock.nowMs(), runDue)
    }
  }
  const runDue = () => {
    disarm = undefined
    armedForMs = Number.POSITIVE_INFINITY
    const nowMs = clock.nowMs()
    while (heap[0] && heap[0].atMs <= nowMs) {
      const due = heap[0]
      remove(due)
      due.run()
    }
    arm()
  }

  return {
    at(atMs, run) {
      const appointment: Appointment = { atMs, run, place: -1 }
      rise(appointment, heap.length)
      arm()
      return appointment
    },
    cancel(appointment) {
      if (!appointment || appointment.place < 0) return
      remove(appointment)
      if (heap.length === 0) arm()
    },
  }
}
