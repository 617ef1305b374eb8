import { checkInteger, HeadraceError } from '@headrace/core'
import type { AcquireRequest, Held, LockDriver, LockEvents, Standing } from '../driver.ts'
import type { RedisPort } from './client.ts'

export interface ReplicaOptions {
  /** How many replicas must have a grant, and each of its renewals, before they count. */
  readonly min: number
  /** For how long to wait for them; below `callMs`. Whatever else is sent over the same connection waits as well. */
  readonly timeoutMs: number
}

/**
 * The same locks, whose grants count when enough replicas have them. Whoever was granted a key that too few have gives it
 * back. A fail-over to a replica that is not among them still forgets the lease: this narrows the window, it does not close it.
 */
export function onReplicas(driver: LockDriver, port: RedisPort, options: ReplicaOptions): LockDriver {
  const { min, timeoutMs } = options
  checkInteger('replicas.min', min, { min: 1, max: 1_000 })
  checkInteger('replicas.timeoutMs', timeoutMs, { min: 1 })
  const { wait } = port
  if (port.cluster) throw new HeadraceError('UNSUPPORTED', 'replicas are not waited for in a cluster')
  if (!wait) throw new TypeError('client must have a method wait where replicas is given')

  /** What was written before, through this client, has reached as many as must have it. */
  const check = async () => {
    const reached = await wait(min, timeoutMs)
    if (reached < min)
      throw new HeadraceError('UNAVAILABLE', `${reached} replicas of redis have it after ${timeoutMs} ms, not ${min}`)
  }
  const confirmed = async (standings: readonly Standing[]): Promise<readonly Standing[]> => {
    if (!standings.some(({ state }) => state === 'held')) return standings
    try {
      await check()
      return standings
    } catch (error) {
      return standings.map((one) => (one.state === 'held' ? { state: 'failed', error } : one))
    }
  }

  return {
    ...driver,
    open(events: LockEvents) {
      const queued = new Map<string, AcquireRequest>()

      const granted = async (id: string, held: Held) => {
        const request = queued.get(id)
        if (!request) return events.granted(id, held)
        const { key, ttlMs } = request
        const sinceMs = events.clock.nowMs()
        // Whoever released the key wrote the grant. What our own client writes after it is nowhere before it is there.
        const [own] = await inner.renew([{ key, id, ttlMs, waitMs: 0 }]).then(confirmed, () => [])
        // Its place was asked about meanwhile, or given up.
        if (queued.get(id) !== request) return
        queued.delete(id)
        if (own?.state === 'held') return events.granted(id, { ...held, ttlMs, sinceMs })
        await inner.release([request]).catch(() => {})
        events.missed()
      }
      const inner = driver.open({ ...events, granted: (id, held) => void granted(id, held) })
      /** What no longer waits needs no confirmation any more when its grant is told. */
      const settled = (
        requests: readonly { readonly id: string }[],
        standings: readonly Standing[],
        waits: readonly Standing['state'][],
      ) => {
        for (const [n, { id }] of requests.entries()) if (!waits.includes(standings[n]!.state)) queued.delete(id)
        return standings
      }
      return {
        ...inner,
        async acquire(requests) {
          // Before the answer: a grant can overtake it.
          for (const request of requests) if (request.waitMs > 0) queued.set(request.id, request)
          try {
            return settled(requests, await confirmed(await inner.acquire(requests)), ['queued'])
          } catch (error) {
            for (const { id } of requests) queued.delete(id)
            throw error
          }
        },
        // A waiter whose turn too few replicas know is asked about again.
        renew: async (requests) =>
          settled(requests, await confirmed(await inner.renew(requests)), ['queued', 'failed']),
        release(requests) {
          for (const { id } of requests) queued.delete(id)
          return inner.release(requests)
        },
      }
    },
  }
}
