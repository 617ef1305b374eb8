/*
 * The rules of the lock on a quorum of independent nodes: what a node does with a message, and what a client concludes
 * from the answers. No I/O and no clock, so that the driver and the exhaustive search in tools/sim use the same ones; the
 * node's half runs in Redis as Lua, which a test compares with this file step by step.
 *
 * Why tokens are strictly monotonic (after Lamport's ballots): a grant with the last token T has a majority of nodes at
 * each of which the client was the owner while the counter was exactly T. Two grants share such a node, which has had
 * the two owners one after the other, and the counter grew by a block of tokens when the second one took it.
 */

/** What a node knows of a key. */
export interface Ballot<Id> {
  readonly owner: Id | undefined
  /** The last token that was given out here; never goes back. */
  readonly last: number
}

export interface Candidate<Id> {
  readonly id: Id
  /** An owner that has given the key back, by its own word: the node need not wait until it hears that itself. */
  readonly after: Id | undefined
  /** The first token that would suit, if it is high enough: with the same one at every node, one round is enough. */
  readonly proposal: number
  /** How many consecutive tokens the grant is to have. */
  readonly tokens: number
}

/** The answer to a candidate: the last token of its block here, or who owns the key instead, where the node tells. */
export type Answer<Id> =
  | { readonly yes: true; readonly last: number }
  | { readonly yes: false; readonly owner: Id | undefined }

export function vote<Id>(ballot: Ballot<Id>, candidate: Candidate<Id>): [Ballot<Id>, Answer<Id>] {
  const { owner, last } = ballot
  const { id, after, proposal, tokens } = candidate
  if (owner === id) return [ballot, { yes: true, last }]
  if (owner !== undefined && owner !== after) return [ballot, { yes: false, owner }]
  const next = Math.max(last + 1, proposal) + tokens - 1
  return [
    { owner: id, last: next },
    { yes: true, last: next },
  ]
}

/**
 * The second round: the owner lifts the counter to the last token of its grant. Where the counter is above that already,
 * the owner has lost the node and got it again since its token was chosen, and must not count it.
 */
export function raise<Id>(ballot: Ballot<Id>, id: Id, last: number): [Ballot<Id>, boolean] {
  if (ballot.owner !== id || ballot.last > last) return [ballot, false]
  return [{ owner: id, last }, true]
}

/** Whether the owner may go on; the caller restarts its ttl. */
export function renew<Id>(ballot: Ballot<Id>, id: Id): boolean {
  return ballot.owner === id
}

/** A holder takes a node that it lacks, so that it survives the loss of another. Counts for its next renewal only. */
export function join<Id>(ballot: Ballot<Id>, id: Id, last: number): [Ballot<Id>, boolean] {
  if (ballot.owner !== undefined && ballot.owner !== id) return [ballot, false]
  return [{ owner: id, last: Math.max(ballot.last, last) }, true]
}

export function free<Id>(ballot: Ballot<Id>, id: Id): [Ballot<Id>, boolean] {
  if (ballot.owner !== id) return [ballot, false]
  return [{ owner: undefined, last: ballot.last }, true]
}

export const majority = (nodes: number): number => Math.floor(nodes / 2) + 1

/** `won`: granted, up to the token `last`. `raise`: it will be, once a majority has that counter. */
export type Verdict = { readonly state: 'open' | 'lost' } | { readonly state: 'won' | 'raise'; readonly last: number }

/** @param answers one for each node; `undefined` while it has not answered. Failures count as answers that say no. */
export function verdict<Id>(answers: readonly (Answer<Id> | undefined)[]): Verdict {
  const quorum = majority(answers.length)
  let yes = 0
  let no = 0
  let last = 0
  let equal = 0
  for (const answer of answers) {
    if (answer === undefined) continue
    if (!answer.yes) no++
    else {
      yes++
      if (answer.last > last) {
        last = answer.last
        equal = 0
      }
      if (answer.last === last) equal++
    }
  }
  if (equal >= quorum) return { state: 'won', last }
  if (yes >= quorum) return { state: 'raise', last }
  return { state: no > answers.length - quorum ? 'lost' : 'open' }
}

/** The same question where each node says only yes or no. */
export function agreed(answers: readonly (boolean | undefined)[]): 'open' | 'won' | 'lost' {
  const quorum = majority(answers.length)
  const count = (what: boolean) => answers.filter((answer) => answer === what).length
  if (count(true) >= quorum) return 'won'
  return count(false) > answers.length - quorum ? 'lost' : 'open'
}

/** Who owns a majority by these answers: then the vote is not split, somebody has the key. */
export function winner<Id>(answers: readonly (Answer<Id> | undefined)[]): Id | undefined {
  const votes = new Map<Id, number>()
  for (const answer of answers) {
    if (answer === undefined || answer.yes || answer.owner === undefined) continue
    const count = (votes.get(answer.owner) ?? 0) + 1
    if (count >= majority(answers.length)) return answer.owner
    votes.set(answer.owner, count)
  }
  return undefined
}

/** What a node says of itself. */
export interface Report {
  /** False where it has lost data, or may have: it does not vote until it is admitted. */
  readonly ready: boolean
  /** No token above this one was given out there. */
  readonly high: number
}

/**
 * From which counter on a node that may have lost data can vote again: at once is too early. It first stays out for the
 * longest ttl, so that no vote from before the loss is still counted, and only then asks the others. Enough of those that
 * lost nothing to have met every majority, or else everybody: more than all cannot be known.
 * @returns undefined where too few have answered.
 */
export function floorFor(node: number, reports: readonly (Report | undefined)[]): number | undefined {
  const known = reports.filter((report) => report !== undefined)
  const sound = reports.filter((report, at) => at !== node && report?.ready)
  const enough = sound.length > reports.length - majority(reports.length) || known.length === reports.length
  return enough ? Math.max(...known.map(({ high }) => high)) : undefined
}
