import { floorFor, type Report } from '../../../../packages/lock/src/quorum/rules.ts'
import type { Board } from './board.ts'
import { attempt, node, phase, whole } from './layout.ts'
import { actions } from './sentences.ts'

/** Nodes that lose everything, stay out, and come back. */
export function restartSteps(board: Board): (state: Uint8Array) => void {
  const { scene, layout, next, begin, emit, write } = board
  const { nodes, attempts, restarts, careless } = scene
  const { attemptAt, nodeAt } = layout

  return (state) => {
    for (let n = 0; n < nodes && restarts > 0; n++) {
      const column = nodeAt(n)
      if (state[whole.restarts]! < restarts) {
        begin(state)
        next[whole.restarts]!++
        for (let a = 0; a < attempts; a++) {
          const began = state[attemptAt(a) + attempt.phase] !== phase.idle
          if (began) next[whole.running]! |= (state[attemptAt(a) + attempt.renewal]! >= 1 ? 3 : 1) << (2 * a)
        }
        write(n, { owner: undefined, last: 0 })
        next[column + node.generation] = 0
        next[column + node.quarantined] = careless === 'votes right after an empty restart' ? 0 : 1
        emit(actions.restart, 0, n)
        continue
      }
      let runs = false
      for (let a = 0; a < attempts; a++) {
        const running = (state[whole.running]! >> (2 * a)) & 3
        if ((running & ~state[attemptAt(a) + attempt.ended]!) !== 0) runs = true
      }
      if (runs && careless !== 'copies at once after an empty restart') continue
      if (state[column + node.quarantined] === 1) {
        const reports = Array.from({ length: nodes }, (_, m): Report | undefined => {
          if (m === n) return { ready: false, high: 0 }
          return state[nodeAt(m) + node.copied] === 1 ? { ready: true, high: state[whole.floor]! } : undefined
        })
        const nothing = careless === 'waits after an empty restart, copies nothing'
        const floor = nothing ? 0 : floorFor(n, reports)
        if (floor === undefined) continue
        begin(state)
        next[column + node.quarantined] = 0
        next[column + node.last] = floor
        next[whole.floor] = 0
        for (let m = 0; m < nodes; m++) next[nodeAt(m) + node.copied] = 0
        emit(actions.admit, 0, n)
      } else if (state[column + node.copied] === 0 && quarantine(state)) {
        begin(state)
        next[column + node.copied] = 1
        next[whole.floor] = Math.max(state[whole.floor]!, state[column + node.last]!)
        emit(actions.copy, 0, n)
      }
    }
  }

  function quarantine(state: Uint8Array): boolean {
    for (let m = 0; m < nodes; m++) if (state[nodeAt(m) + node.quarantined] === 1) return true
    return false
  }
}
