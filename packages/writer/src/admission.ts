import { HeadraceError, type Observer } from '@headrace/core'
import type { WriterEvent } from './events.ts'

/** What stands in line in the whole writer, and how much of it there may be. */
export interface Admission {
  /**
   * Lets a call in, or refuses it at once: a line that is full, or one so long that the answer would come after the
   * deadline (what is ahead over the rate at which it is answered, Little's law), helps nobody.
   * @param predictedMs how long its answer would take.
   * @throws HeadraceError `BUSY` with `retryAfterMs`.
   */
  enter(length: number, deadlineMs: number, predictedMs: number): void
  leave(length: number): void
  readonly waiting: number
  readonly waitingLength: number
}

/** Which bound a call met: the number in line, the length of their commands, or its own deadline. */
export type RefusalReason = 'waiting' | 'length' | 'deadline'

/** A hint for the next attempt: whole milliseconds, and never 0, which would be a busy loop. */
export const retryHintMs = (ms: number): number => Math.max(1, Math.ceil(ms))

export function createAdmission(options: {
  readonly waitingMax: number
  readonly waitingLengthMax: number
  readonly emit: Observer<WriterEvent>
}): Admission {
  const { waitingMax, waitingLengthMax, emit } = options
  let waiting = 0
  let waitingLength = 0

  function refuse(reason: RefusalReason, message: string, afterMs: number): never {
    const retryAfterMs = retryHintMs(afterMs)
    emit({ type: 'refused', reason, retryAfterMs })
    throw new HeadraceError('BUSY', message, { retryAfterMs })
  }

  return {
    enter(length, deadlineMs, predictedMs) {
      if (waiting >= waitingMax) refuse('waiting', `${waiting} calls are in line`, predictedMs)
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
