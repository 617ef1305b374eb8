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
export type { LeaseSet } from './lease-set.ts'
export { createLocks, type Locks } from './locks.ts'
export type { AcquireOptions, LocksOptions } from './options.ts'
export type { PermitOptions, Semaphore } from './semaphore.ts'
