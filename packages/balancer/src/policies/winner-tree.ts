import { type Random, randomBelow } from '@headrace/core'

// A cost can grow while nothing happens, so the winner is looked at again before it is believed. After this many in one
// pick the rest is left to the next.
const doubtsMax = 4

/**
 * The lowest of many costs, of which few change at a time: each change costs the depth of the tree at most.
 *
 * A tournament as in Knuth, TAOCP 3, 5.4.1: leaves are the candidates, each inner node knows the better of its two and what
 * that one costs. Costs of those that are left alone drift with time; one of them in turn is looked at with every fourth pick.
 *
 * Node 0, above the tree, has the lowest of all. Its leaf may be out of date: who has just become free is often the next
 * to be chosen, and is then as expensive as it was before, so that the tree need not hear of it, at any depth.
 *
 * A class, because V8 compiles closures for one tree only, and all are slower as soon as a process has two.
 */
export class WinnerTree<Item> {
  readonly #items: readonly Item[]
  readonly #leaves: number
  readonly #winners: Int32Array
  readonly #lowest: Float64Array
  readonly #cost: (item: Item, nowMs: number) => number
  #luck: number
  #picks = 0
  #turn = 0

  constructor(items: readonly Item[], cost: (item: Item, nowMs: number) => number, random: Random) {
    let leaves = 1
    while (leaves < items.length) leaves *= 2
    const winners = new Int32Array(2 * leaves)
    const lowest = new Float64Array(2 * leaves).fill(Number.POSITIVE_INFINITY)
    this.#items = items
    this.#leaves = leaves
    this.#winners = winners
    this.#lowest = lowest
    this.#cost = cost
    this.#luck = randomBelow(random, 2 ** 32) | 0
    for (let index = 0; index < items.length; index++) {
      winners[leaves + index] = index
      lowest[leaves + index] = this.#drawn(cost(items[index]!, 0))
    }
    for (let node = leaves - 1; node > 0; node--) {
      const better = lowest[2 * node + 1]! < lowest[2 * node]! ? 2 * node + 1 : 2 * node
      winners[node] = winners[better]!
      lowest[node] = lowest[better]!
    }
    this.#crown()
  }

  /** The index with the lowest cost; -1 where all are infinite. */
  first(nowMs: number): number {
    if ((this.#picks++ & 3) === 0) {
      this.changed(this.#turn, nowMs)
      this.#turn = this.#turn + 1 === this.#items.length ? 0 : this.#turn + 1
    }
    const first = this.#isBelieved(nowMs) ? this.#winners[0]! : this.#doubted(nowMs)
    // Among infinite ones a leaf that only fills up the tree may win.
    return this.#lowest[0] === Number.POSITIVE_INFINITY ? -1 : first
  }

  changed(index: number, nowMs: number): void {
    const winners = this.#winners
    const lowest = this.#lowest
    const costHere = this.#drawn(this.#cost(this.#items[index]!, nowMs))
    const first = winners[0]!
    if (index === first && costHere <= lowest[1]!) lowest[0] = costHere
    else if (index !== first && costHere < lowest[0]!) {
      if (lowest[this.#leaves + first] !== lowest[0]) this.#place(first, lowest[0]!)
      winners[0] = index
      lowest[0] = costHere
    } else {
      this.#place(index, costHere)
      if (index === first) this.#crown()
    }
  }

  // Ties go to the luckier, and luck is drawn anew with each change: no order of the list shows through. It is too little to
  // decide anything else. A linear congruence (Knuth, TAOCP 2, 3.3.4), because this is done with each pick and each end.
  #drawn(costHere: number): number {
    this.#luck = (Math.imul(this.#luck, 1_664_525) + 1_013_904_223) | 0
    return costHere + (this.#luck >>> 0) * (costHere * 2 ** -64 + 2 ** -72)
  }

  #crown(): void {
    this.#winners[0] = this.#winners[1]!
    this.#lowest[0] = this.#lowest[1]!
  }

  #place(index: number, costHere: number): void {
    const winners = this.#winners
    const lowest = this.#lowest
    let node = this.#leaves + index
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
  #doubted(nowMs: number): number {
    for (let doubts = 1; doubts < doubtsMax; doubts++) {
      this.changed(this.#winners[0]!, nowMs)
      if (this.#isBelieved(nowMs)) return this.#winners[0]!
    }
    this.changed(this.#winners[0]!, nowMs)
    return this.#winners[0]!
  }

  #isBelieved(nowMs: number): boolean {
    return this.#cost(this.#items[this.#winners[0]!]!, nowMs) <= this.#lowest[0]!
  }
}
