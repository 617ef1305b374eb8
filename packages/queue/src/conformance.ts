import { type ConformanceOptions, type Rule, runConformance } from '@headrace/core/testing'
import type { QueueSupports } from './driver.ts'
import { deadLetterRules } from './rules/dead-letters.ts'
import { deliveringRules } from './rules/delivering.ts'
import { parkingRules } from './rules/parking.ts'
import { publishingRules } from './rules/publishing.ts'
import { replyRules } from './rules/replies.ts'
import type { QueueSubject } from './rules/subject.ts'

export type { QueueSubject } from './rules/subject.ts'

/** The contract of `QueueDriver`, a sentence for each rule. */
export const queueRules: readonly Rule<QueueSubject, QueueSupports>[] = [
  ...publishingRules,
  ...deliveringRules,
  ...deadLetterRules,
  ...parkingRules,
  ...replyRules,
]

/** Registers one test for each rule with the test runner, to check that a driver keeps the contract of `QueueDriver`. */
export function queueConformance(options: ConformanceOptions<QueueSubject, QueueSupports>): void {
  runConformance(queueRules, options)
}
