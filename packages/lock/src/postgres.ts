import { checkInteger } from '@headrace/core'
import type { LockDriver } from './driver.ts'
import type { PostgresPool } from './postgres/connection.ts'
import { openLockSession } from './postgres/lock-session.ts'

export type { PostgresClient, PostgresPool } from './postgres/connection.ts'

export interface PostgresLocksOptions {
  /** Tells these keys from those of others who use advisory locks in this database. `headrace` by default. */
  readonly prefix?: string
  /** Where the last token of each key is kept, `schema.table` or `table`; made where it is missing. `headrace_lock_tokens` by default. */
  readonly table?: string
  /** `session` accepts a pooler in between that keeps one server connection for each client connection. */
  readonly pooler?: 'none' | 'session'
  /** How many connections may wait for a key or hold one that they have waited for. Beyond it a waiter asks again and again. 8 by default. */
  readonly waitersMax?: number
}

// What idle_session_timeout takes.
const ttlMaxMs = 2 ** 31 - 1

/**
 * Locks for those who have nothing but PostgreSQL (14 or later): session advisory locks, which the server ends with a
 * connection that is silent for the ttl, and a row with the last token of each key.
 * @param pool a `Pool` of the npm package pg, best one of its own: a session takes a connection from it, and one more
 * for each key that it waits for or has waited for.
 */
export function postgresLocks(pool: PostgresPool, options: PostgresLocksOptions = {}): LockDriver {
  const { prefix = 'headrace', table = 'headrace_lock_tokens', pooler = 'none', waitersMax = 8 } = options
  if (typeof pool?.connect !== 'function') throw new TypeError('pool must be a Pool of the npm package pg')
  if (typeof prefix !== 'string') throw new TypeError(`prefix must be a string, received ${typeof prefix}`)
  if (!/^([A-Za-z_]\w*\.)?[A-Za-z_]\w*$/.test(table))
    throw new RangeError('table must be a name of letters, digits and underscores, with or without a schema')
  if (pooler !== 'none' && pooler !== 'session') throw new RangeError(`pooler must be 'none' or 'session'`)

  checkInteger('waitersMax', waitersMax, { min: 0 })

  return {
    name: 'postgres',
    supports: {
      fencing: true,
      queue: 'pushed',
      shared: false,
      inspect: false,
      evict: false,
      batchMax: 100,
      ttlMinMs: 1,
      ttlMaxMs,
    },
    open: (events) => openLockSession(pool, events, { prefix, table, pooler, waitersMax }),
  }
}
