export type {
  AcquireRequest,
  Failed,
  Gone,
  Held,
  LockDriver,
  LockEvents,
  LockSession,
  LockState,
  LockSupports,
  Party,
  Queued,
  ReleaseRequest,
  RenewRequest,
  Share,
  Standing,
} from './driver.ts'
export type { LockEvent, LostCause } from './events.ts'
export type { Lease } from './lease.ts'
export { type AcquireOptions, createLocks, type Locks, type LocksOptions } from './locks.ts'
