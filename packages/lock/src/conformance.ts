import { type ConformanceOptions, runConformance } from '@headrace/core/testing'
import { basicRules } from './conformance/basics.ts'
import { queueRules } from './conformance/queue.ts'
import { shareRules } from './conformance/share.ts'
import type { LockRule, LockSubject } from './conformance/subject.ts'
import type { LockSupports } from './driver.ts'

export type { LockRule, LockSubject } from './conformance/subject.ts'

/** The contract of a lock driver, one sentence for each rule. */
export const lockRules: readonly LockRule[] = [...basicRules, ...queueRules, ...shareRules]

/**
 * Registers the contract as tests. `test` is the test function of any runner; `supports` is that of the driver.
 * @example lockConformance({ test: it, supports: driver.supports, create: () => ({ subject: { driver, peer, clock, ttlMs, elapse } }) })
 */
export function lockConformance(options: ConformanceOptions<LockSubject, LockSupports>): void {
  runConformance(lockRules, options)
}
