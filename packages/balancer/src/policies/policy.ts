import type { Random } from '@headrace/core'
import type { Endpoint } from '../endpoint.ts'
import type { Load } from '../load/load.ts'

/** An endpoint that may be chosen, with its load as of now. */
export interface Candidate {
  readonly endpoint: Endpoint
  readonly load: Load
}

/** What a choice may depend on besides the load. */
export interface PickContext {
  readonly key: string | undefined
  /** Ids that must not be chosen. */
  readonly exclude: ReadonlySet<string> | undefined
}

/**
 * A choice among a fixed list of candidates. It is made anew when the list changes, so that it never sees a list change
 * under its feet; what it remembers from pick to pick ends with it.
 */
export interface Picker {
  /** @returns the index of the candidate, or -1 where all are excluded. */
  pick(context: PickContext): number
}

/** A way to choose. Without state of its own, it can be shared by balancers. */
export interface Policy {
  readonly name: string
  /** @param candidates at least one, each with a weight above 0. */
  picker(candidates: readonly Candidate[], random: Random): Picker
}
