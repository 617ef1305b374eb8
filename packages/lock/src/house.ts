import type { Clock, Observer, Random } from '@headrace/core'
import type { Agenda } from './agenda.ts'
import type { Held, LockSupports } from './driver.ts'
import type { LockEvent } from './events.ts'
import type { Outbox } from './outbox.ts'

/** What the lines of one `createLocks` share. */
export interface House {
  readonly clock: Clock
  readonly random: Random
  readonly agenda: Agenda
  readonly outbox: Outbox
  readonly supports: LockSupports
  readonly emit: Observer<LockEvent> | undefined
  /** How often a grant may be handed on inside this process before others get their turn. */
  readonly handoverMax: number
  readonly pollMs: number
  readonly callMs: number
  readonly label: string | undefined
  nextId(): string
  /** Who is told what the backend says about an id. */
  readonly tenants: Map<string, Tenant>
  /** Sees to it that the backend forgets an id, in the background and for a bounded time. */
  reclaim(key: string, id: string, ttlMs: number): void
}

/** Something that holds or waits under an id. */
export interface Tenant {
  granted(held: Held): void
  lost(): void
  asked(): void
  lookAgain(): void
}
