// The rules are no public name of the lock. That package.json names @headrace/lock all the same has nx run this when they change.
import { type Answer, type Ballot, majority } from '../../../../packages/lock/src/quorum/rules.ts'
import { attempt, type Layout, layoutOf, link, node, phase, whole } from './layout.ts'
import { type Scene, type Whole, wholeScene } from './scene.ts'
import { type Action, stepOf } from './sentences.ts'

/** Reads a state, and writes the one that follows from it. */
export interface Board {
  readonly scene: Whole
  readonly layout: Layout
  readonly bounded: boolean
  /** The state that follows; a copy of the present one after `begin`. */
  readonly next: Uint8Array
  begin(state: Uint8Array): void
  /** Hands over what has been written, as the state after this action. */
  emit(action: Action, a: number, n: number): void
  /** Who gets what is emitted. */
  to: (state: Uint8Array, step: number) => void
  ballot(state: Uint8Array, n: number): Ballot<number>
  write(n: number, ballot: Ballot<number>): void
  answers(state: Uint8Array, a: number): (Answer<number> | undefined)[]
  marks(state: Uint8Array, a: number, field: number): (true | undefined)[]
  /** Forgets what no longer matters, so that states differ only where it does. */
  clear(a: number, fields: readonly number[]): void
  finish(a: number): void
  /** A grant, and the promise that it breaks. */
  grant(a: number, last: number): void
  /** The promise that is broken in a state. */
  broken(state: Uint8Array): string | undefined
}

export const votingFields: readonly number[] = [link.flying, link.flyingToo, link.answer]
export const raisingFields: readonly number[] = [link.raiseFlying, link.raiseAnswer]
export const renewingFields: readonly number[] = [link.renewFlying, link.renewAnswer]

const promises = [
  '',
  'two grants share a token',
  'a grant has a lower token than one that was there before it began',
  'a grant has a lower token than one before it',
  'two hold the key at the same time',
]

export function createBoard(given: Scene): Board {
  const scene = wholeScene(given)
  const { nodes, attempts, clocks, tokens, restarts, careless } = scene
  const layout = layoutOf(nodes, attempts)
  const { attemptAt, nodeAt, linkAt, bytes } = layout
  const bounded = clocks === 'bounded'
  const next = new Uint8Array(bytes)

  const board: Board = {
    scene,
    layout,
    bounded,
    next,
    to() {},
    begin(state) {
      next.set(state)
    },
    emit(action, a, n) {
      board.to(next, stepOf(action, a, n))
    },
    ballot(state, n) {
      const owner = state[nodeAt(n) + node.owner]!
      return { owner: owner === 0 ? undefined : owner, last: state[nodeAt(n) + node.last]! }
    },
    write(n, { owner = 0, last }) {
      next[nodeAt(n) + node.owner] = owner
      next[nodeAt(n) + node.last] = last
    },
    answers: (state, a) =>
      Array.from({ length: nodes }, (_, n) => {
        const last = state[linkAt(a, n) + link.answer]!
        return last === 0 ? undefined : { yes: true, last }
      }),
    marks: (state, a, field) =>
      Array.from({ length: nodes }, (_, n) => (state[linkAt(a, n) + field] === 1 ? true : undefined)),
    clear(a, fields) {
      for (let n = 0; n < nodes; n++) for (const field of fields) next[linkAt(a, n) + field] = 0
    },
    finish(a) {
      next[attemptAt(a) + attempt.phase] = phase.over
      next[attemptAt(a) + attempt.freed] = 1
      board.clear(a, votingFields)
      board.clear(a, raisingFields)
      board.clear(a, renewingFields)
    },
    grant(a, last) {
      const at = attemptAt(a)
      next[at + attempt.phase] = phase.holding
      next[at + attempt.last] = last
      next[at + attempt.granted] = 1
      board.clear(a, votingFields)
      board.clear(a, raisingFields)
      for (let b = 0; b < attempts; b++) {
        const other = attemptAt(b)
        if (b === a || next[other + attempt.granted] === 0) continue
        const otherLast = next[other + attempt.last]!
        if (Math.abs(last - otherLast) < tokens) next[whole.broken] = 1
        else if (last < otherLast && (next[at + attempt.earlier]! >> b) & 1) next[whole.broken] = 2
        else if (bounded && last < otherLast) next[whole.broken] = 3
        if (bounded && next[other + attempt.phase] === phase.holding) next[whole.broken] = 4
      }
    },
    broken(state) {
      if (state[whole.broken] !== 0) return promises[state[whole.broken]!]
      // Of the careless, what is shown is the harm, not its first sign.
      if (!bounded || restarts > 0 || careless) return undefined
      for (let a = 0; a < attempts; a++) {
        if (state[attemptAt(a) + attempt.phase] !== phase.holding) continue
        let owned = 0
        for (let n = 0; n < nodes; n++) if (state[nodeAt(n) + node.owner] === a + 1) owned++
        if (owned < majority(nodes)) return 'a grant is lost while its ttl runs: a majority of nodes has forgotten it'
      }
      return undefined
    },
  }
  return board
}
