import { type Clock, systemClock } from '@headrace/core'
import type { LockDriver, LockEvents } from './driver.ts'
import { createLockTable, type Notices } from './lock-table.ts'

/**
 * Locks within one process, and the reference for what the other drivers must do. Give the same driver to several
 * `createLocks` and they contend for the same keys.
 */
export function memoryLocks(options: { readonly clock?: Clock } = {}): LockDriver {
  const { clock = systemClock } = options
  const sessions = new Map<string, LockEvents>()
  // A notice is given after the call that caused it, as it is by a server.
  const tell = (id: string, notice: (events: LockEvents) => void) =>
    queueMicrotask(() => {
      const events = sessions.get(id.slice(0, id.indexOf('.')))
      if (events) notice(events)
    })
  const notices: Notices = {
    granted: (id, held) => {
      const sinceMs = clock.nowMs()
      tell(id, (events) => events.granted(id, { ...held, sinceMs }))
    },
    lost: (id) => tell(id, (events) => events.lost(id)),
    asked: (id) => tell(id, (events) => events.asked(id)),
  }
  // What a token guards may outlive the process. A later one begins a million tokens above an earlier one for every
  // millisecond that lies between them, which is more than all its grants can have used up.
  const table = createLockTable(clock.nowMs, notices, BigInt(Math.floor(clock.wallMs())) << 20n)

  return {
    name: 'memory',
    supports: {
      fencing: true,
      queue: 'pushed',
      shared: true,
      inspect: true,
      evict: true,
      batchMax: 1_000,
      ttlMinMs: 1,
      ttlMaxMs: Number.MAX_SAFE_INTEGER,
    },
    open(events) {
      sessions.set(events.session, events)
      return {
        acquire: async (requests) => requests.map(table.acquire),
        renew: async (requests) => requests.map(table.renew),
        release: async (requests) => requests.map(({ key, id }) => table.release(key, id)),
        inspect: async (key) => table.inspect(key),
        evict: async (key, how) => table.evict(key, how),
        async close() {
          sessions.delete(events.session)
          table.forget(events.session)
        },
      }
    },
  }
}
