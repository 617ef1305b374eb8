import { checkNumber } from '@headrace/core'
import { httpPort } from './consul/http-port.ts'
import { batchMax, openLockSession } from './consul/lock-session.ts'
import { type ConsulClient, npmPort } from './consul/npm-port.ts'
import type { LockDriver } from './driver.ts'

export type { ConsulClient } from './consul/npm-port.ts'

export interface ConsulLocksOptions {
  /** The folder of all keys; the same for all who contend. `headrace/lock` by default. */
  readonly prefix?: string
  /** The agents' `session_ttl_min`, below which Consul takes no session; 10 s by default, as there. */
  readonly ttlMinMs?: number
  /** The ACL token, where `consul` is a URL. It needs key and session write rights. */
  readonly token?: string
}

// Consul's own limit.
const ttlMaxMs = 86_400_000

/**
 * Locks on Consul: strict order, no herd, tokens from the Raft index.
 * @param consul a client of the npm package `consul`, or the URL of an agent.
 */
export function consulLocks(consul: ConsulClient | string, options: ConsulLocksOptions = {}): LockDriver {
  const { prefix = 'headrace/lock', ttlMinMs = 10_000, token } = options
  if (typeof prefix !== 'string' || !/^[^/].*[^/]$/.test(prefix))
    throw new RangeError('prefix must not be empty, nor begin or end with a slash')
  checkNumber('ttlMinMs', ttlMinMs, { min: 1, max: ttlMaxMs })
  const port = typeof consul === 'string' ? httpPort(consul, token) : npmPort(consul)
  let sessions = 0

  return {
    name: 'consul',
    supports: {
      fencing: true,
      queue: 'pushed',
      shared: true,
      inspect: true,
      evict: true,
      batchMax,
      ttlMinMs,
      ttlMaxMs,
    },
    open(events) {
      const session = openLockSession(port, events, { prefix, ttlMinMs, ttlMaxMs })
      sessions++
      return {
        ...session,
        async close() {
          await session.close()
          if (--sessions === 0) port.rest()
        },
      }
    },
  }
}
