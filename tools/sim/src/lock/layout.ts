/** The fields of a state of the lock's model: some for the whole, some for each attempt, then a column for each node. */
export const whole = {
  /** Which promise has been broken; 0 none. */
  broken: 0,
  restarts: 1,
  /** What the restarted node has copied so far. */
  floor: 2,
  /** Clocks that ran at the restart, as bits of attempt and generation. */
  running: 3,
} as const
const wholeSize = 4

export const attempt = {
  phase: 0,
  /** Bit 0: the ttl of the votes has ended, by the client's clock. Bit 1: the one of the renewal. */
  ended: 1,
  /** The last token of the block; 0 before it is known. */
  last: 2,
  granted: 3,
  /** Attempt number plus one, whose key it takes over. */
  after: 4,
  proposal: 5,
  raised: 6,
  /** 0 none, 1 asked for, 2 agreed. */
  renewal: 7,
  joins: 8,
  /** Attempts, as bits, that had their grant before this one began. */
  earlier: 9,
  /** It has given back what it had, by messages that may still be on their way. */
  freed: 10,
} as const
const attemptSize = 11

export const node = {
  /** Attempt number plus one; 0 where the key is free. */
  owner: 0,
  last: 1,
  /** Whose ttl counts for the owner: that of its vote (0) or of its renewal (1). */
  generation: 2,
  quarantined: 3,
  /** The restarted node has copied the counter from here. */
  copied: 4,
} as const
const nodeSize = 5

/** What is between one attempt and one node. Answers in flight hold a counter; 0 none. */
export const link = {
  deliveries: 0,
  flying: 1,
  flyingToo: 2,
  answer: 3,
  raiseFlying: 4,
  raiseAnswer: 5,
  renewFlying: 6,
  renewAnswer: 7,
} as const
const linkSize = 8

export const phase = { idle: 0, voting: 1, raising: 2, holding: 3, over: 4 } as const

export interface Layout {
  readonly bytes: number
  readonly columnsFrom: number
  readonly columnSize: number
  attemptAt(a: number): number
  nodeAt(n: number): number
  linkAt(a: number, n: number): number
}

export function layoutOf(nodes: number, attempts: number): Layout {
  const columnsFrom = wholeSize + attempts * attemptSize
  const columnSize = nodeSize + attempts * linkSize
  const nodeAt = (n: number) => columnsFrom + n * columnSize
  return {
    bytes: columnsFrom + nodes * columnSize,
    columnsFrom,
    columnSize,
    attemptAt: (a) => wholeSize + a * attemptSize,
    nodeAt,
    linkAt: (a, n) => nodeAt(n) + nodeSize + a * linkSize,
  }
}

/** Nodes differ by name only: their columns in order stand for all arrangements of them. */
export function sortColumns({ columnsFrom, columnSize, bytes }: Layout): (state: Uint8Array) => void {
  const held = new Uint8Array(columnSize)
  const after = (state: Uint8Array, a: number, b: number): boolean => {
    for (let at = 0; at < columnSize; at++) {
      const difference = state[a + at]! - state[b + at]!
      if (difference !== 0) return difference > 0
    }
    return false
  }
  return (state) => {
    for (let end = columnsFrom + columnSize; end < bytes; end += columnSize) {
      for (let at = end; at > columnsFrom && after(state, at - columnSize, at); at -= columnSize) {
        held.set(state.subarray(at, at + columnSize))
        state.copyWithin(at, at - columnSize, at)
        state.set(held, at - columnSize)
      }
    }
  }
}
