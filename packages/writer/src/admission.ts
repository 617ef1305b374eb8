import { HeadraceError, type Observer } from '@headrace/core'
import type { WriterEvent } from './events.ts'

/** What stands in line in the whole writer, and how much of it there may be. */
export interface Admission {
  /**
   * Lets a write in, or refuses it at once: a line that is full, or one so long that the answer would come after the
   * deadline (what is ahead over the rate at which it is answered, Little's law), helps nobody.
   * @param predictedMs how long its answer would take.
   * @throws HeadraceError `BUSY` with `retryAfterMs`.
   */
  enter(length: number, deadlineMs: number, predictedMs: number): void
  leave(length: number): void
  readonly waiting: number
  readonly waitingLength: number
}

/** Which bound a write met: the number in line, the length of their commands, or its own deadline. */
export type RefusalReason = 'waiting' | 'length' | 'deadline'

export function createAdmission(options: {
  readonly waitingMax: number
  readonly waitingLengthMax: number
  readonly emit: Observer<WriterEvent>
}): Admission {
  const { waitingMax, waitingLengthMax, emit } = options
  let waiting = 0
  let waitingLength = 0

  function refuse(reason: RefusalReason, message: string, retryAfterMs: number): never {
    emit({ type: 'refused', reason, retryAfterMs })
    throw new HeadraceError('BUSY', message, { retryAfterMs })
  }

  return {
    enter(length, deadlineMs, predictedMs) {
      if (waiting >= waitingMax) refuse('waiting', `${waiting} writes are in line`, predictedMs)
      if (waitingLength + length > waitingLengthMax) {
        refuse('length', `commands of ${waitingLength} characters are in line`, predictedMs)
      }
      if (predictedMs > deadlineMs) {
        const message = `the answer would take about ${Math.round(predictedMs)} ms, over the ${deadlineMs} ms allowed`
        refuse('deadline', message, predictedMs - deadlineMs)
      }
      waiting++
      waitingLength += length
    },
    leave(length) {
      waiting--
      waitingLength -= length
    },
    get waiting() {
      return waiting
    },
    get waitingLength() {
      return waitingLength
    },
  }
}
