import { type Random, randomBelow } from '@headrace/core'

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
 * A tournament as in Knuth, TAOCP 3, 5.4.1: leaves are the candidates, each inner node knows the better of its two and what
 * that one costs. Costs of those that are left alone drift with time; one of them in turn is looked at with every fourth pick.
 *
 * Node 0, above the tree, has the lowest of all. Its leaf may be out of date: who has just become free is often the next
 * to be chosen, and is then as expensive as it was before, so that the tree need not hear of it, at any depth.
 */
export function winnerTree(size: number, cost: (index: number, nowMs: number) => number, random: Random): WinnerTree {
  let leaves = 1
  while (leaves < size) leaves *= 2
  const winners = new Int32Array(2 * leaves)
  const lowest = new Float64Array(2 * leaves).fill(Number.POSITIVE_INFINITY)
  let luck = randomBelow(random, 2 ** 32) | 0
  let picks = 0
  let turn = 0
  for (let index = 0; index < size; index++) {
    winners[leaves + index] = index
    lowest[leaves + index] = drawn(cost(index, 0))
  }
  for (let node = leaves - 1; node > 0; node--) {
    const better = lowest[2 * node + 1]! < lowest[2 * node]! ? 2 * node + 1 : 2 * node
    winners[node] = winners[better]!
    lowest[node] = lowest[better]!
  }
  crown()

  // Ties go to the luckier, and luck is drawn anew with each change: no order of the list shows through. It is too little to
  // decide anything else. A linear congruence (Knuth, TAOCP 2, 3.3.4), because this is done with each pick and each end.
  function drawn(costHere: number): number {
    luck = (Math.imul(luck, 1_664_525) + 1_013_904_223) | 0
    return costHere + (luck >>> 0) * (costHere * 2 ** -64 + 2 ** -72)
  }

  function changed(index: number, nowMs: number): void {
    const costHere = drawn(cost(index, nowMs))
    const first = winners[0]!
    if (index === first && costHere <= lowest[1]!) lowest[0] = costHere
    else if (index !== first && costHere < lowest[0]!) {
      if (lowest[leaves + first] !== lowest[0]) place(first, lowest[0]!)
      winners[0] = index
      lowest[0] = costHere
    } else {
      place(index, costHere)
      if (index === first) crown()
    }
  }

  function crown(): void {
    winners[0] = winners[1]!
    lowest[0] = lowest[1]!
  }

  function place(index: number, costHere: number): void {
    let node = leaves + index
    let winner = index
    let best = costHere
    lowest[node] = best
    while (node > 1) {
      const rival = node ^ 1
      if (lowest[rival]! < best) {
        best = lowest[rival]!
        winner = winners[rival]!
      }
      node >>= 1
      // Where another one has won before and wins again, nothing changes further up.
      if (winners[node] === winner && lowest[node] === best) return
      winners[node] = winner
      lowest[node] = best
    }
  }

  // Apart from `first`, so that this is small enough to become a part of its caller.
  function doubted(nowMs: number): number {
    for (let doubts = 1; doubts < doubtsMax; doubts++) {
      changed(winners[0]!, nowMs)
      if (isBelieved(nowMs)) return winners[0]!
    }
    changed(winners[0]!, nowMs)
    return winners[0]!
  }

  function isBelieved(nowMs: number): boolean {
    return cost(winners[0]!, nowMs) <= lowest[0]!
  }

  return {
    first(nowMs) {
      if ((picks++ & 3) === 0) {
        changed(turn, nowMs)
        turn = turn + 1 === size ? 0 : turn + 1
      }
      const first = isBelieved(nowMs) ? winners[0]! : doubted(nowMs)
      // Among infinite ones a leaf that only fills up the tree may win.
      return lowest[0] === Number.POSITIVE_INFINITY ? -1 : first
    },
    changed,
  }
}
