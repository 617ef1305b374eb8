import { createStates, type States } from './states.ts'

/** A system with finitely many states, each written in the same number of bytes. */
export interface Model {
  readonly bytes: number
  /** The only state to begin with. */
  readonly start: Uint8Array
  /**
   * Hands every state that can follow to `to`, which copies it, with the action that leads there as a number that only
   * `describe` can read.
   */
  next(state: Uint8Array, to: (state: Uint8Array, action: number) => void): void
  /** What is wrong with a state; undefined where nothing is. */
  violation(state: Uint8Array): string | undefined
  /** The action as a sentence, and what is known after it. */
  describe(action: number, before: Uint8Array, after: Uint8Array): string
  /** Rewrites a state as the one that stands for all that differ from it by names only. */
  canonical?(state: Uint8Array): void
}

export interface Outcome {
  readonly states: number
  readonly transitions: number
  /** The longest of the shortest ways to a state. */
  readonly depth: number
  /** True where there was nothing left to look at. */
  readonly complete: boolean
  readonly violation?: { readonly what: string; readonly trace: readonly string[] }
}

/** Breadth first, so that a counter-example is a shortest one. States are compared byte by byte: no hash can hide one. */
export function search(
  model: Model,
  options: { readonly statesMax?: number; readonly progress?: (states: number, depth: number) => void } = {},
): Outcome {
  const { statesMax = 5_000_000, progress } = options
  const states = createStates(model.bytes)
  const first = model.start.slice()
  model.canonical?.(first)
  states.add(first, -1)
  const scratch = new Uint8Array(model.bytes)
  let transitions = 0
  let depth = 0
  let layerEnd = 1

  const report = (complete: boolean, found?: { at: number; what: string }): Outcome => ({
    states: states.size,
    transitions,
    depth,
    complete,
    ...(found && { violation: { what: found.what, trace: traceTo(model, states, found.at) } }),
  })
  const startWrong = model.violation(first)
  if (startWrong !== undefined) return report(false, { at: 0, what: startWrong })

  let found: { at: number; what: string } | undefined
  for (let at = 0; at < states.size; at++) {
    if (at === layerEnd) {
      depth++
      layerEnd = states.size
      progress?.(states.size, depth)
    }
    const state = states.read(at)
    model.next(state, (next) => {
      transitions++
      scratch.set(next)
      model.canonical?.(scratch)
      if (!states.add(scratch, at) || found) return
      const what = model.violation(scratch)
      if (what !== undefined) found = { at: states.size - 1, what }
    })
    if (found) return report(false, found)
    if (states.size > statesMax) return report(false)
  }
  return report(true)
}

/** The way to a state, found again from its predecessors: during the search only those are kept. */
function traceTo(model: Model, states: States, at: number): string[] {
  const way: number[] = []
  for (let step = at; step >= 0; step = states.parent(step)) way.unshift(step)
  // The names of equal things can change on the way through canonical states, so the trace is played from the start.
  const trace: string[] = []
  let present: Uint8Array = model.start.slice()
  for (const step of way.slice(1)) {
    const target = states.read(step)
    let after: Uint8Array | undefined
    let line = ''
    model.next(present, (next, action) => {
      if (after) return
      const same = next.slice()
      model.canonical?.(same)
      if (same.every((byte, index) => byte === target[index])) {
        after = next.slice()
        line = model.describe(action, present, after)
      }
    })
    if (!after) throw new Error('the model does not repeat itself: a state has no way to its successor')
    trace.push(line)
    present = after
  }
  return trace
}
