import { HeadraceError } from '@headrace/core'
import { thrownMessage } from './decision.ts'
import type { JsonGuard } from './json.ts'
import type { StoredState } from './store.ts'

/** The state of a key after its last write; `sequence` is 0 where there was none. */
export interface KnownState<State> {
  readonly sequence: number
  readonly state: State
}

/** The state of a key that has never been written. @throws HeadraceError `REJECTED` where `initial` fails. */
export function initialState<State>(initial: (key: string) => State, guard: JsonGuard, key: string): KnownState<State> {
  try {
    const state = initial(key)
    guard(state, 'initial state')
    return { sequence: 0, state }
  } catch (cause) {
    throw new HeadraceError('REJECTED', `initial failed: ${thrownMessage(cause)}`, { cause })
  }
}

/** A state as the store has it. @throws HeadraceError `REJECTED` where it is no JSON: that key, and no other, is broken. */
export function storedState<State>({ sequence, state }: StoredState, guard: JsonGuard): KnownState<State> {
  return { sequence, state: parsed(state, guard, 'state') as State }
}

/** The value of what the store has as text, frozen. @throws HeadraceError `REJECTED` where it is no JSON. */
export function parsed(text: string, guard: JsonGuard, what: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    guard(value, what)
    return value
  } catch (cause) {
    throw new HeadraceError('REJECTED', `the stored ${what} cannot be read`, { cause })
  }
}
