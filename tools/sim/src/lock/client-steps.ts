import { agreed, verdict } from '../../../../packages/lock/src/quorum/rules.ts'
import { type Board, renewingFields, votingFields } from './board.ts'
import { attempt, link, phase } from './layout.ts'
import { actions } from './sentences.ts'

/** How attempt `a`, which has not begun, can begin. */
export function startSteps(board: Board): (state: Uint8Array, a: number) => void {
  const { scene, layout, next, begin, emit } = board
  const { proposals, handsOver, careless } = scene
  const { attemptAt } = layout

  return (state, a) => {
    const at = attemptAt(a)
    // Attempts differ by name only, so they begin in the order of their names.
    if (a > 0 && state[attemptAt(a - 1) + attempt.phase] === phase.idle) return
    let earlier = 0
    for (let b = 0; b < a; b++) earlier |= state[attemptAt(b) + attempt.granted]! << b
    for (let b = handsOver ? -1 : a - 1; b < a; b++) {
      const after = handsOver ? b : -1
      if (after >= 0) {
        const other = attemptAt(after)
        const over = state[other + attempt.phase] === phase.over
        const hasty =
          careless === 'hand-over from an owner whose ttl ended at one node' &&
          (state[other + attempt.ended]! & 1) === 1
        if (!over && !hasty) continue
      }
      for (const proposal of proposals) {
        begin(state)
        next[at + attempt.phase] = phase.voting
        next[at + attempt.earlier] = earlier
        next[at + attempt.after] = after + 1
        next[at + attempt.proposal] = proposal
        emit(actions.start, a, 0)
      }
      if (!handsOver) break
    }
  }
}

/** What the client of attempt `a` concludes and decides, and its clock. */
export function clientSteps(board: Board): (state: Uint8Array, a: number) => void {
  const { scene, layout, bounded, next, begin, emit, answers, marks, clear, finish, grant } = board
  const { nodes, renewals, careless } = scene
  const { attemptAt, linkAt } = layout

  return (state, a) => {
    const at = attemptAt(a)
    const now = state[at + attempt.phase]!
    const ended = state[at + attempt.ended]!
    const last = state[at + attempt.last]!
    const late = bounded && (ended & 1) === 1 && careless !== 'trust from the answer'
    if (now === phase.voting && !late) {
      const found = verdict(answers(state, a))
      const minority = answers(state, a).find((answer) => answer?.yes)
      begin(state)
      if (found.state === 'won' || (found.state === 'raise' && careless === 'one round')) {
        grant(a, found.last)
        emit(actions.decide, a, 0)
      } else if (found.state === 'raise') {
        next[at + attempt.phase] = phase.raising
        next[at + attempt.last] = found.last
        next[at + attempt.raised] = 1
        for (let n = 0; n < nodes; n++)
          if (state[linkAt(a, n) + link.answer] === found.last) next[linkAt(a, n) + link.raiseAnswer] = 1
        clear(a, votingFields)
        emit(actions.decide, a, 0)
      } else if (careless === 'a minority is enough' && minority?.yes) {
        grant(a, minority.last)
        emit(actions.decide, a, 0)
      }
    }
    if (now === phase.raising && !late && agreed(marks(state, a, link.raiseAnswer)) === 'won') {
      begin(state)
      grant(a, last)
      emit(actions.raised, a, 0)
    }
    if (now === phase.voting || now === phase.raising) {
      begin(state)
      finish(a)
      emit(actions.giveUp, a, 0)
    }
    if (
      careless === 'asks again under the name that it has given back' &&
      now === phase.over &&
      state[at + attempt.granted] === 0
    ) {
      begin(state)
      next[at + attempt.phase] = phase.voting
      next[at + attempt.last] = 0
      next[at + attempt.raised] = 0
      emit(actions.again, a, 0)
    }
    if (now === phase.holding) {
      begin(state)
      finish(a)
      emit(actions.release, a, 0)
      if (renewals && state[at + attempt.renewal] === 0) {
        begin(state)
        next[at + attempt.renewal] = 1
        emit(actions.renew, a, 0)
      }
      if (state[at + attempt.renewal] === 1) {
        const acknowledged = marks(state, a, link.renewAnswer)
        const enough = careless === 'renewal by one node' ? acknowledged.includes(true) : agreed(acknowledged) === 'won'
        if (enough) {
          begin(state)
          next[at + attempt.renewal] = 2
          next[at + attempt.joins] = 1
          clear(a, renewingFields)
          emit(actions.renewed, a, 0)
        }
      }
    }
    if (bounded) {
      // The ttl of the votes, then that of the renewal, which was sent later.
      const renewal = state[at + attempt.renewal]!
      if ((ended & 1) === 0 || (renewal >= 1 && (ended & 2) === 0)) {
        const bit = (ended & 1) === 0 ? 1 : 2
        begin(state)
        next[at + attempt.ended]! |= bit
        const trusted = bit === 1 && renewal === 2
        if (now !== phase.over && !trusted && careless !== 'trust from the answer') finish(a)
        emit(actions.clock, a, 0)
      }
    }
  }
}
