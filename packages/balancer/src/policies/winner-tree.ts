import type { Random } from '@headrace/core'

/** The lowest of many costs, of which few change at a time: each change costs the depth of the tree. */
export interface WinnerTree {
  /** The index with the lowest cost; -1 where all are infinite. */
  first(nowMs: number): number
  changed(index: number, nowMs: number): void
}

// A cost can grow while nothing happens, so the winner is looked at again before it is believed. After this many in one
// pick the rest is left to the next.
const doubtsMax = 4

/**
 * A tournament as in Knuth, TAOCP 3, 5.4.1: leaves are the candidates, each inner node knows the better of its two. Costs
 * of those that are left alone drift with time; one of them in turn is looked at with every fourth pick.
 */
export function winnerTree(size: number, cost: (index: number, nowMs: number) => number, random: Random): WinnerTree {
  let leaves = 1
  while (leaves < size) leaves *= 2
  const winners = new Int32Array(2 * leaves)
  const costs = new Float64Array(leaves).fill(Number.POSITIVE_INFINITY)
  // Ties go to the luckier, and luck is drawn anew with each change: no order of the list shows through.
  const luck = new Float64Array(leaves).fill(1)
  let picks = 0
  let turn = 0
  for (let index = 0; index < leaves; index++) winners[leaves + index] = index
  for (let index = 0; index < size; index++) {
    costs[index] = cost(index, 0)
    luck[index] = random.next()
  }
  for (let node = leaves - 1; node > 0; node--) winners[node] = better(winners[2 * node]!, winners[2 * node + 1]!)

  function better(one: number, other: number): number {
    const difference = costs[one]! - costs[other]!
    if (difference !== 0) return difference < 0 ? one : other
    return luck[one]! <= luck[other]! ? one : other
  }

  function changed(index: number, nowMs: number): void {
    costs[index] = cost(index, nowMs)
    luck[index] = random.next()
    for (let node = (leaves + index) >> 1; node > 0; node >>= 1) {
      const winner = better(winners[2 * node]!, winners[2 * node + 1]!)
      // Where another one has won before and wins again, nothing changes further up.
      if (winner === winners[node] && winner !== index) return
      winners[node] = winner
    }
  }

  return {
    first(nowMs) {
      if ((picks++ & 3) === 0) {
        changed(turn, nowMs)
        turn = turn + 1 === size ? 0 : turn + 1
      }
      for (let doubts = 0; doubts < doubtsMax; doubts++) {
        const winner = winners[1]!
        const before = costs[winner]!
        // Among infinite ones a leaf that only fills up the tree may win.
        if (before === Number.POSITIVE_INFINITY) return -1
        const now = cost(winner, nowMs)
        if (now <= before) return winner
        changed(winner, nowMs)
      }
      return costs[winners[1]!] === Number.POSITIVE_INFINITY ? -1 : winners[1]!
    },
    changed,
  }
}
