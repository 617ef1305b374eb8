import { describe, HeadraceError } from '@headrace/core'
import type { JsonGuard } from './json.ts'

/**
 * What a write does to the state of its key: the one function that an application has to write. It must be pure and
 * synchronous: the same state and command give the same decision, it changes neither, and it does no I/O. It may be called
 * again for a command whose earlier decision was never committed. What it returns is frozen.
 */
export type Decide<State, Command, Result, Event> = (state: State, command: Command) => Decision<State, Result, Event>

export interface Decision<State, Result, Event> {
  /** The state after the write; left out where it stays as it is, as for a refusal. A JSON value. */
  readonly state?: State
  /** What the caller gets. A JSON value. */
  readonly result: Result
  /** Published to the queue of the writer, in order per key, after the commit. JSON values. */
  readonly events?: readonly Event[]
}

/**
 * Calls `decide` and checks what it returned.
 * @throws HeadraceError `REJECTED` with the cause, when it threw or returned what cannot be stored: the write is refused and
 * leaves no trace, the other writes of its batch go on.
 */
export function decided<State, Command, Result, Event>(
  decide: Decide<State, Command, Result, Event>,
  guard: JsonGuard,
  state: State,
  command: Command,
  withEvents: boolean,
): Decision<State, Result, Event> {
  try {
    const decision = decide(state, command)
    if (typeof decision !== 'object' || decision === null) {
      throw new TypeError(`decide must return { state?, result, events? }, returned ${describe(decision)}`)
    }
    if (typeof (decision as { then?: unknown }).then === 'function') {
      // Its own failure would otherwise end the process: nobody else hears it.
      Promise.resolve(decision as unknown).catch(() => {})
      throw new TypeError('decide must not be async: it returned a promise')
    }
    if (decision.result === undefined) throw new TypeError('decide returned no result')
    guard(decision.result, 'result')
    if (decision.state !== undefined) guard(decision.state, 'state')
    if (decision.events !== undefined) {
      if (!withEvents) throw new TypeError('decide returned events, but the writer has no queue')
      if (!Array.isArray(decision.events)) throw new TypeError('decide returned events that are not an array')
      for (const event of decision.events) guard(event, 'event')
    }
    return decision
  } catch (cause) {
    throw new HeadraceError('REJECTED', `decide failed: ${thrownMessage(cause)}`, { cause })
  }
}

/** Anything can be thrown, also what has no text. */
export function thrownMessage(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : describe(thrown)
}
