import type { Decision } from '@headrace/writer'

/** A state in which every decision leaves a trace, so that a lost, doubled or swapped one shows. */
export interface Account {
  readonly writes: number
  readonly left: number
  readonly trace: number
}

export interface Spend {
  readonly amount: number
}

export interface Spent {
  readonly accepted: boolean
  readonly trace: number
}

export const poison = 13

/** An amount that may be accepted now and throw later: whoever asks again must get the answer of then. */
export const moody = 11

export const opened = (): Account => ({ writes: 0, left: 40, trace: 1 })

export function spend({ writes, left, trace }: Account, { amount }: Spend): Decision<Account, Spent, number> {
  if (amount === poison) throw new Error('poison')
  if (amount === moody && amount > left) throw new Error('overdrawn')
  // A refusal is an answer too: it leaves the state alone, and a later one may be accepted.
  if (amount > left) return { result: { accepted: false, trace } }
  const next = { writes: writes + 1, left: left - amount, trace: (trace * 31 + amount) % 1_000_003 }
  return { state: next, result: { accepted: true, trace: next.trace }, events: [next.trace] }
}
