import { isHeadraceError } from '@headrace/core'
import { type Decide, decided } from './decision.ts'
import type { JsonGuard } from './json.ts'
import type { KnownState } from './ownership.ts'
import { fail, type Pending, type Remembered } from './pending.ts'
import type { NewEvent, StoredReceipt, StoredState } from './store.ts'

/** Decisions in order of arrival on top of the states of a term; nothing of it is true before it is committed. */
export interface Draft<State, Command, Result> {
  readonly writes: readonly { readonly pending: Pending<Command, Result>; readonly receipt: Remembered<Result> }[]
  readonly states: ReadonlyMap<string, KnownState<State>>
  readonly rows: {
    readonly states: readonly StoredState[]
    readonly receipts: readonly StoredReceipt[]
    readonly events: readonly NewEvent[]
  }
}

/** Decides every write of a batch. One whose decision fails is answered at once with its error and is not in the draft. */
export function draftOf<State, Command, Result, Event>(
  batch: readonly Pending<Command, Result>[],
  options: {
    readonly decide: Decide<State, Command, Result, Event>
    readonly guard: JsonGuard
    /** Whether there is a queue to publish them to. */
    readonly withEvents: boolean
    /** What a term knows of a key; it may throw HeadraceError `REJECTED`. */
    readonly stateOf: (key: string) => KnownState<State>
    readonly failed: (pending: Pending<Command, Result>) => void
  },
): Draft<State, Command, Result> {
  const { decide, guard, withEvents, stateOf, failed } = options
  const writes: { pending: Pending<Command, Result>; receipt: Remembered<Result> }[] = []
  const states = new Map<string, KnownState<State>>()
  const receipts: StoredReceipt[] = []
  const events: NewEvent[] = []
  for (const pending of batch) {
    const { id, key, fingerprint } = pending
    try {
      const before = states.get(key) ?? stateOf(key)
      const decision = decided(decide, guard, before.state, pending.command, withEvents)
      const sequence = before.sequence + 1
      const { result, state = before.state } = decision
      states.set(key, { sequence, state })
      writes.push({ pending, receipt: { key, sequence, fingerprint, result } })
      receipts.push({ id, key, sequence, fingerprint, result: JSON.stringify(result) })
      decision.events?.forEach((event, index) => {
        events.push({ id: `${id}/${index}`, key, body: JSON.stringify(event) })
      })
    } catch (error) {
      if (!isHeadraceError(error)) throw error
      fail(pending, error)
      failed(pending)
    }
  }
  const stored = Array.from(states, ([key, { sequence, state }]) => ({ key, sequence, state: JSON.stringify(state) }))
  return { writes, states, rows: { states: stored, receipts, events } }
}
