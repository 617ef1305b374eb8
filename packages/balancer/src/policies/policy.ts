import type { Random } from '@headrace/core'
import type { Endpoint } from '../endpoint.ts'
import type { MeasuredLoad } from '../load/load.ts'

/** An endpoint that may be chosen, with its load as of now. */
export interface Candidate {
  readonly endpoint: Endpoint
  readonly load: MeasuredLoad
}

/** What a choice may depend on besides the load. */
export interface PickContext {
  readonly nowMs: number
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
  /** The load of candidate `index` has changed. For pickers that keep an order. */
  changed?(index: number, nowMs: number): void
}

/** A way to choose. Without state of its own, it can be shared by balancers. */
export interface Policy {
  readonly name: string
  /** Whether a key that has work in flight stays where it is, whatever the picker says. */
  readonly pinsKeys?: boolean
  /** Whether it may choose nobody though there is somebody, so that callers wait until it does. */
  readonly holdsBack?: boolean
  /** By what it compares candidates, lower is better; for `explain`. Not for policies that do not compare. */
  readonly cost?: (candidate: Candidate, nowMs: number, key: string | undefined) => number
  /** @param candidates at least one, each with a weight above 0. */
  picker(candidates: readonly Candidate[], random: Random): Picker
}

// A newcomer begins with a tenth: less would leave it without the answers by which it is judged.
const shareMin = 0.1

/** The weight that counts at present: a newcomer's grows to its full one over its time of warming up. */
export function shareOf({ endpoint, load }: Candidate, nowMs: number): number {
  const leftMs = load.warmAtMs - nowMs
  return leftMs > 0 ? endpoint.weight * Math.max(shareMin, 1 - leftMs / load.warmUpMs) : endpoint.weight
}
