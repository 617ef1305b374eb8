import { createHash } from 'node:crypto'
import { HeadraceError, isHeadraceError } from '@headrace/core'
import { type Decide, decided, thrownMessage } from './decision.ts'
import type { JsonGuard } from './json.ts'
import type { KnownState } from './known-state.ts'
import type { Pending, Remembered } from './pending.ts'
import type { NewEvent, StoredReceipt, StoredState } from './store.ts'

/** Decisions in order of arrival on top of the states of a term; nothing of it is true before it is committed. */
export interface Draft<State, Command, Result> {
  /** The writes, and what each comes to, at the same index. */
  readonly writes: readonly Pending<Command, Result>[]
  readonly receipts: readonly Remembered<Result>[]
  /** Those whose decision failed, and why; nothing else of them is in the draft. */
  readonly refused: readonly { readonly pending: Pending<Command, Result>; readonly error: HeadraceError }[]
  readonly states: ReadonlyMap<string, KnownState<State>>
  readonly rows: {
    readonly states: readonly StoredState[]
    readonly receipts: readonly StoredReceipt[]
    readonly events: readonly NewEvent[]
  }
}

/** Decides every write of a batch. */
export function draftOf<State, Command, Result, Event>(
  batch: readonly Pending<Command, Result>[],
  options: {
    readonly decide: Decide<State, Command, Result, Event>
    readonly guard: JsonGuard
    /** Whether there is a queue to publish them to. */
    readonly withEvents: boolean
    /** What a term knows of a key; it may throw HeadraceError `REJECTED`. */
    readonly stateOf: (key: string) => KnownState<State>
  },
): Draft<State, Command, Result> {
  const { decide, guard, withEvents, stateOf } = options
  const writes: Pending<Command, Result>[] = []
  const remembered: Remembered<Result>[] = []
  const refused: { pending: Pending<Command, Result>; error: HeadraceError }[] = []
  const states = new Map<string, KnownState<State>>()
  const receipts: StoredReceipt[] = []
  const events: NewEvent[] = []
  for (const pending of batch) {
    const { id, key, fingerprint } = pending
    try {
      const before = states.get(key) ?? stateOf(key)
      const decision = decided(decide, guard, before.state, pending.command as Command, withEvents)
      const sequence = before.sequence + 1
      const { result, state = before.state } = decision
      const added = decision.events?.map((event, index) => {
        return { id: eventId(id, index), key, body: JSON.stringify(event) }
      })
      receipts.push({ id, key, sequence, fingerprint, result: JSON.stringify(result) })
      // From here on nothing throws: a write is in the draft as a whole or not at all.
      states.set(key, { sequence, state })
      writes.push(pending)
      remembered.push({ key, sequence, fingerprint, result })
      if (added) events.push(...added)
    } catch (cause) {
      refused.push({ pending, error: isHeadraceError(cause) ? cause : unwritable(cause) })
    }
  }
  const stored = Array.from(states, ([key, { sequence, state }]) => ({ key, sequence, state: JSON.stringify(state) }))
  return { writes, receipts: remembered, refused, states, rows: { states: stored, receipts, events } }
}

function unwritable(cause: unknown): HeadraceError {
  return new HeadraceError('REJECTED', `the decision cannot be stored: ${thrownMessage(cause)}`, { cause })
}

/** With an index behind it, the longest id of a write would be too long for the id of a message. */
function eventId(id: string, index: number): string {
  const stem = id.length > 100 ? createHash('sha256').update(id).digest('base64url') : id
  return `${stem}/${index}`
}
