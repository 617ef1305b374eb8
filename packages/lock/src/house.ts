import type { Clock, Observer, Random } from '@headrace/core'
import type { Agenda } from './agenda.ts'
import type { LockSupports } from './driver.ts'
import type { LockEvent } from './events.ts'
import type { Line } from './line.ts'
import type { Lookout } from './lookout.ts'
import type { Outbox } from './outbox.ts'

/** What the lines of one `createLocks` share. */
export interface House {
  readonly clock: Clock
  readonly random: Random
  readonly agenda: Agenda
  readonly outbox: Outbox
  readonly lookout: Lookout
  readonly supports: LockSupports
  readonly emit: Observer<LockEvent> | undefined
  /** How often a grant may be handed on inside this process before others get their turn. */
  readonly handoverMax: number
  readonly pollMs: number
  readonly callMs: number
  nextId(): string
  /** Sees to it that the backend forgets an id, in the background and for a bounded time. */
  reclaim(key: string, id: string, ttlMs: number): void
  /** `line` has nobody in it and nothing to do. */
  idle(line: Line): void
}
