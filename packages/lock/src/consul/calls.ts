import { type Clock, HeadraceError, within } from '@headrace/core'
import { ConsulRefusal } from './port.ts'

/** Makes calls that come to an end: by themselves, by their limit, or with the session that makes them. */
export interface Calls {
  /** @throws what `call` throws, `REJECTED` where the ACL token is not enough, `TIMEOUT` after `limitMs`, `ABORTED` when `signal` fires. */
  run<T>(what: string, call: (signal: AbortSignal) => Promise<T>, options?: CallOptions): Promise<T>
}

interface CallOptions {
  readonly limitMs?: number
  readonly signal?: AbortSignal | undefined
}

// Longer than `callMs` of createLocks, which has given up by then: this is for connections whose other end is gone.
const callLimitMs = 10_000

export function createCalls(clock: Clock): Calls {
  return {
    async run(what, call, { limitMs = callLimitMs, signal } = {}) {
      const own = new AbortController()
      try {
        return await within(clock, limitMs, call(own.signal), { signal, what })
      } catch (error) {
        own.abort()
        if (error instanceof ConsulRefusal && (error.status === 401 || error.status === 403))
          throw new HeadraceError('REJECTED', error.message, { cause: error })
        throw error
      }
    },
  }
}
