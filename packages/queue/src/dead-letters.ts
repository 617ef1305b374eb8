import { abortedError, type Clock, checkInteger, checkNumber, HeadraceError, throwIfAborted } from '@headrace/core'
import { backendError } from './backend.ts'
import type { DeadMessage, DeadVerdict, QueueDriver } from './driver.ts'
import type { DeadLetter } from './message.ts'
import { visibleHeaders } from './own-headers.ts'

export interface DeadLetterQuery {
  /** Which ones; all by default. A filter that throws ends the call. */
  readonly filter?: ((dead: DeadLetter) => boolean) | undefined
  /** How many at most; 1,000. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface RedriveOptions extends DeadLetterQuery {
  /** Messages per second; as fast as it goes by default. */
  readonly ratePerSec?: number | undefined
  /** Counts what would be redriven, and leaves it. */
  readonly dryRun?: boolean | undefined
}

/** What was given up, oldest first. A call that fails half-way has done what it did, and can be made again. */
export interface DeadLetters {
  list(query?: DeadLetterQuery): Promise<readonly DeadLetter[]>
  /** Puts messages back at the end of their partition, with the same id and key and a new count of attempts. */
  redrive(options?: RedriveOptions): Promise<{ readonly redriven: number }>
  /** Removes messages for good. */
  purge(query?: DeadLetterQuery): Promise<{ readonly purged: number }>
}

export function createDeadLetters(context: {
  readonly driver: QueueDriver
  readonly name: string
  readonly clock: Clock
  readonly callMs: number
  readonly declared: () => Promise<void>
}): DeadLetters {
  const { driver, name, clock, callMs, declared } = context
  const what = `visiting the dead letters of queue "${name}"`

  /** Gives the letters of a query to `act`, until the limit; the backend has `callMs` for each step. */
  async function visit(
    { filter = () => true, limit = 1_000, signal }: DeadLetterQuery,
    act: (letter: DeadLetter, count: number) => DeadVerdict | Promise<DeadVerdict>,
  ): Promise<number> {
    checkInteger('limit', limit, { min: 1 })
    throwIfAborted(signal, what)
    await declared()
    const startedMs = clock.wallMs()
    let count = 0
    let over = false
    return await new Promise<number>((resolve, reject) => {
      const end = (settle: () => void) => {
        over = true
        cancel()
        signal?.removeEventListener('abort', abort)
        settle()
      }
      const fail = (error: unknown) => end(() => reject(error))
      const abort = () => fail(abortedError(signal!, what))
      const arm = () =>
        clock.after(callMs, () => fail(new HeadraceError('TIMEOUT', `${what}: no answer within ${callMs} ms`)))
      let cancel = arm()
      signal?.addEventListener('abort', abort, { once: true })

      const step = async (dead: DeadMessage): Promise<DeadVerdict> => {
        // What dies after we began would come round again and again.
        if (over || count >= limit || dead.deadAtMs > startedMs) return 'stop'
        cancel()
        try {
          const letter = toLetter(dead)
          return filter(letter) ? await act(letter, count++) : 'keep'
        } catch (error) {
          fail(error)
          return 'stop'
        } finally {
          if (!over) cancel = arm()
        }
      }
      driver.visitDead(name, step).then(
        () => end(() => resolve(count)),
        (cause: unknown) => fail(backendError(what, cause)),
      )
    })
  }

  return {
    async list(query = {}) {
      const letters: DeadLetter[] = []
      await visit(query, (letter) => {
        letters.push(letter)
        return 'keep'
      })
      return letters
    },
    async redrive({ ratePerSec, dryRun = false, ...query } = {}) {
      if (ratePerSec !== undefined) checkNumber('ratePerSec', ratePerSec, { min: Number.MIN_VALUE })
      const redriven = await visit(query, async (_letter, count) => {
        if (dryRun) return 'keep'
        if (ratePerSec !== undefined && count > 0) await clock.sleep(1_000 / ratePerSec, query.signal)
        return 'redrive'
      })
      return { redriven }
    },
    async purge(query = {}) {
      return { purged: await visit(query, () => 'remove') }
    },
  }
}

function toLetter({ message, reason, error, attempts, deadAtMs }: DeadMessage): DeadLetter {
  const { id, key, publishedAtMs } = message
  const headers = visibleHeaders(message.headers)
  return { id, key, body: parsed(message.payload), headers, reason, error, attempts, publishedAtMs, deadAtMs }
}

function parsed(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return undefined
  }
}
