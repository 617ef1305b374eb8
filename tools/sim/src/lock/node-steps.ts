import { free, join, raise, renew, vote } from '../../../../packages/lock/src/quorum/rules.ts'
import type { Board } from './board.ts'
import { attempt, link, node, phase } from './layout.ts'
import { actions } from './sentences.ts'

/** What nodes do with the messages of attempt `a`, and what comes of their answers on the way. */
export function nodeSteps(board: Board): (state: Uint8Array, a: number) => void {
  const { scene, layout, bounded, next, begin, emit, ballot, write } = board
  const { nodes, deliveriesMax, tokens, careless } = scene
  const { attemptAt, nodeAt, linkAt } = layout

  return (state, a) => {
    const at = attemptAt(a)
    const id = a + 1
    const now = state[at + attempt.phase]!
    const ended = state[at + attempt.ended]!
    const last = state[at + attempt.last]!
    for (let n = 0; n < nodes; n++) {
      const column = nodeAt(n)
      const between = linkAt(a, n)
      const known = ballot(state, n)
      const open = state[column + node.quarantined] === 0

      if (open && state[between + link.deliveries]! < deliveriesMax) {
        const after = state[at + attempt.after]!
        const proposal = state[at + attempt.proposal]!
        const [then, answer] = vote(known, { id, after: after === 0 ? undefined : after, proposal, tokens })
        // A vote that is refused is as good as lost.
        if (answer.yes) {
          begin(state)
          write(n, then)
          if (known.owner !== id) next[column + node.generation] = 0
          next[between + link.deliveries]!++
          const wanted = now === phase.voting && state[between + link.answer] === 0
          if (wanted && state[between + link.flying] !== answer.last) {
            next[between + (state[between + link.flying] === 0 ? link.flying : link.flyingToo)] = answer.last
          }
          if (wanted || known.owner !== id) emit(actions.vote, a, n)
        }
      }
      for (const field of [link.flying, link.flyingToo]) {
        if (state[between + field] === 0) continue
        begin(state)
        next[between + link.answer] = state[between + field]!
        next[between + link.flying] = 0
        next[between + link.flyingToo] = 0
        emit(actions.answer, a, n)
      }
      if (open && state[at + attempt.raised] === 1) {
        const [then, yes] =
          careless === 'raise without owner check' ||
          (careless === 'raise that keeps a higher counter' && known.owner === id)
            ? ([{ ...known, last: Math.max(known.last, last) }, true] as const)
            : raise(known, id, last)
        if (yes) {
          begin(state)
          write(n, then)
          if (now === phase.raising && state[between + link.raiseAnswer] === 0) next[between + link.raiseFlying] = 1
          emit(actions.raise, a, n)
        }
      }
      if (state[between + link.raiseFlying] === 1) {
        begin(state)
        next[between + link.raiseFlying] = 0
        next[between + link.raiseAnswer] = 1
        emit(actions.raiseAnswer, a, n)
      }
      if (state[at + attempt.freed] === 1 && known.owner !== undefined) {
        const [then, yes] =
          careless === 'release without owner check'
            ? ([{ ...known, owner: undefined }, true] as const)
            : free(known, id)
        if (yes) {
          begin(state)
          write(n, then)
          next[column + node.generation] = 0
          emit(actions.free, a, n)
        }
      }
      if (known.owner === id) {
        const generation = state[column + node.generation]!
        if (!bounded || (ended >> generation) & 1) {
          begin(state)
          write(n, { owner: undefined, last: known.last })
          next[column + node.generation] = 0
          emit(actions.expire, a, n)
        }
      }
      if (state[at + attempt.renewal]! >= 1 && open && renew(known, id)) {
        begin(state)
        next[column + node.generation] = 1
        if (now === phase.holding && state[at + attempt.renewal] === 1 && state[between + link.renewAnswer] === 0)
          next[between + link.renewFlying] = 1
        emit(actions.renewArrives, a, n)
      }
      if (state[between + link.renewFlying] === 1) {
        begin(state)
        next[between + link.renewFlying] = 0
        next[between + link.renewAnswer] = 1
        emit(actions.renewAnswer, a, n)
      }
      if (open && state[at + attempt.joins] === 1 && known.owner === undefined) {
        const [then] = join(known, id, last)
        begin(state)
        write(n, then)
        next[column + node.generation] = 1
        emit(actions.join, a, n)
      }
    }
  }
}
