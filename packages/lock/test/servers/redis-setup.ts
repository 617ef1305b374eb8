import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import type { LockDriver } from '@headrace/lock'
import type { LockSubject } from '@headrace/lock/conformance'

/** A key space that no other test uses. */
export const freshPrefix = (): string => `test:${randomUUID()}`

/** The subject of the conformance suite for two drivers on one server. */
export const onServer = (driver: LockDriver, peer: LockDriver): LockSubject => ({
  driver,
  peer,
  clock: systemClock,
  ttlMs: 300,
  elapse: (ms: number) => sleep(ms),
})
