import type { Round, Terms } from './round.ts'

/** An attempt of this session, from its first vote until it is over. */
export interface Place extends Terms {
  /** `turn`: it owns the node in whose queue it was first, and does not have a majority yet. */
  state: 'asking' | 'queued' | 'turn' | 'held'
  /** The node in whose queue it is, or was. */
  at: number
  /** The last token of its grant. */
  last: number
  /** The votes of its grant; answers that come late are added. */
  votes: Round | undefined
  readonly askedMs: number
  /** Until when nobody else can have the key, by our clock. */
  untilMs: number
  /** The clock of the node with the queue, at a moment not before `sentMs` of ours. */
  seen: { readonly at: number; readonly sentMs: number; readonly serverMs: number } | undefined
  /** Rounds are being asked for it. */
  busy: boolean
  ended: boolean
  /** A turn that came while it was busy. */
  called: Turn | undefined
}

// What two clocks may differ in speed.
export const clockDrift = 0.001

export function openPlace(terms: Terms, askedMs: number): Place {
  return {
    ...terms,
    state: 'asking',
    at: -1,
    last: 0,
    votes: undefined,
    askedMs,
    untilMs: Number.NEGATIVE_INFINITY,
    seen: undefined,
    busy: false,
    ended: false,
    called: undefined,
  }
}

/** What a node tells the first in its queue. */
export interface Turn {
  readonly at: number
  readonly name: number
  readonly last: number
  readonly grantedMs: number
  readonly ttlMs: number
  readonly after: string
}
