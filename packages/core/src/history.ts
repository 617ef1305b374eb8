import type { Clock } from './clock.ts'
import { isHeadraceError } from './errors.ts'

/** What a client saw of one operation. `unknown` = it may have taken effect, before or after the client gave up. */
export interface Operation<Input, Output> {
  readonly process: number | string
  readonly input: Input
  /** Order of the invocation and of the answer among all recorded moments; the answer of an unknown outcome is `Infinity`. */
  readonly invokedAt: number
  readonly answeredAt: number
  readonly invokedMs: number
  readonly outcome:
    | { readonly type: 'ok'; readonly output: Output }
    | { readonly type: 'fail' | 'unknown'; readonly error: unknown }
}

export interface History<Input, Output> {
  /** Runs `work` and records it as one operation of `process`; gives back, or throws, what `work` did. */
  record(process: number | string, input: Input, work: () => Promise<Output>): Promise<Output>
  readonly operations: readonly Operation<Input, Output>[]
}

/**
 * Records concurrent operations for a checker. An error counts as `fail` (nothing happened) where its code says so:
 * `BUSY`, `UNAVAILABLE`, `REJECTED`, `STALE`; every other error leaves the outcome unknown.
 */
export function recordHistory<Input, Output>(clock: Clock): History<Input, Output> {
  const operations: Operation<Input, Output>[] = []
  let moment = 0
  return {
    operations,
    async record(process, input, work) {
      const operation: Unfinished<Operation<Input, Output>> = {
        process,
        input,
        invokedAt: moment++,
        answeredAt: Number.POSITIVE_INFINITY,
        invokedMs: clock.nowMs(),
        outcome: { type: 'unknown', error: undefined },
      }
      operations.push(operation)
      try {
        const output = await work()
        operation.answeredAt = moment++
        operation.outcome = { type: 'ok', output }
        return output
      } catch (error) {
        const failed = isHeadraceError(error) && nothingHappened.has(error.code)
        if (failed) operation.answeredAt = moment++
        operation.outcome = { type: failed ? 'fail' : 'unknown', error }
        throw error
      }
    },
  }
}

type Unfinished<Finished> = { -readonly [Name in keyof Finished]: Finished[Name] }

const nothingHappened: ReadonlySet<string> = new Set(['BUSY', 'UNAVAILABLE', 'REJECTED', 'STALE'])
