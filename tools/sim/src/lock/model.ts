import type { Model } from '../search.ts'
import { createBoard } from './board.ts'
import { clientSteps, startSteps } from './client-steps.ts'
import { attempt, phase, sortColumns } from './layout.ts'
import { nodeSteps } from './node-steps.ts'
import { restartSteps } from './restart-steps.ts'
import type { Scene } from './scene.ts'
import { sentence } from './sentences.ts'

/** Every step that clients, nodes, the network and clocks can take with the rules of the lock on a quorum. */
export function lockModel(scene: Scene): Model {
  const board = createBoard(scene)
  const { layout } = board
  const { attempts } = board.scene
  const start = startSteps(board)
  const ofNodes = nodeSteps(board)
  const ofClient = clientSteps(board)
  const ofRestarts = restartSteps(board)

  return {
    bytes: layout.bytes,
    start: new Uint8Array(layout.bytes),
    canonical: sortColumns(layout),
    violation: board.broken,
    next(state, to) {
      board.to = to
      for (let a = 0; a < attempts; a++) {
        if (state[layout.attemptAt(a) + attempt.phase] === phase.idle) {
          start(state, a)
          continue
        }
        ofNodes(state, a)
        ofClient(state, a)
      }
      ofRestarts(state)
    },
    describe: (action, before, after) => sentence(layout, action, before, after),
  }
}
