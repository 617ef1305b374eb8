import { type ConformanceOptions, type Rule, runConformance } from '@headrace/core/testing'
import { committingRules } from './rules/committing.ts'
import { eventRules } from './rules/events.ts'
import { fencingRules } from './rules/fencing.ts'
import { openingRules } from './rules/opening.ts'
import type { StoreSubject, StoreSupports } from './rules/subject.ts'

export type { StoreSubject, StoreSupports } from './rules/subject.ts'

/** The contract of `Store` and `Ledger`, a sentence for each rule. */
export const storeRules: readonly Rule<StoreSubject, StoreSupports>[] = [
  ...openingRules,
  ...fencingRules,
  ...committingRules,
  ...eventRules,
]

/**
 * Registers one test for each rule with the test runner, to check that a store keeps the contract of `Store`: that a
 * writer on it answers exactly once. A fresh, empty store is needed for each rule.
 */
export function storeConformance(options: ConformanceOptions<StoreSubject, StoreSupports>): void {
  runConformance(storeRules, options)
}
