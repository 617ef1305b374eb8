import assert from 'node:assert/strict'
import { type Clock, randomId } from '@headrace/core'
import type { AcquireRequest, Held, LockDriver, LockSession, Standing } from '../driver.ts'

/** A session as the rules use it: one request at a time, and what it was told. */
export interface Guest {
  readonly session: LockSession
  /** An id of this session. */
  id(name: string): string
  acquire(key: string, name: string, request?: Partial<AcquireRequest>): Promise<Standing>
  /** Acquires and expects to hold. */
  hold(key: string, name: string, request?: Partial<AcquireRequest>): Promise<Held>
  /** Acquires until it holds what another one held: a busy server may be late with the end of a ttl. */
  outlast(key: string, request?: Partial<AcquireRequest>): Promise<{ readonly name: string; readonly held: Held }>
  /** Acquires and expects to be queued. */
  queue(key: string, name: string, request?: Partial<AcquireRequest>): Promise<void>
  renew(key: string, name: string, ttlMs?: number): Promise<Standing>
  release(key: string, name: string): Promise<boolean>
  /** Waits until `name`, which was queued, holds: it is told, or, where the driver cannot tell, it asks. */
  turn(key: string, name: string): Promise<Held>
  /** Waits for `condition`, in real time, because a server works in real time; in memory it is so after the first turn. */
  eventually(condition: () => boolean | Promise<boolean>, otherwise: string): Promise<void>
  readonly granted: ReadonlyMap<string, Held>
  readonly lost: ReadonlySet<string>
  readonly asked: ReadonlySet<string>
}

export function openGuest(
  driver: LockDriver,
  { clock, ttlMs, patienceMs = 3_000 }: { readonly clock: Clock; readonly ttlMs: number; readonly patienceMs?: number },
): Guest {
  const own = randomId()
  const granted = new Map<string, Held>()
  const lost = new Set<string>()
  const asked = new Set<string>()
  const session = driver.open({
    clock,
    session: own,
    granted: (id, held) => granted.set(id, held),
    lost: (id) => lost.add(id),
    asked: (id) => asked.add(id),
    missed() {},
  })
  const id = (name: string) => `${own}.${name}`
  let outlasting = 0
  const guest: Guest = {
    session,
    granted,
    lost,
    asked,
    id,
    async acquire(key, name, request) {
      const [standing] = await session.acquire([{ key, id: id(name), ttlMs, waitMs: 0, tokens: 1, ...request }])
      assert.ok(standing, 'one request gets one answer')
      if (standing.state === 'failed') throw standing.error
      return standing
    },
    async hold(key, name, request) {
      const standing = await guest.acquire(key, name, request)
      assert.equal(standing.state, 'held')
      return standing as Held
    },
    async outlast(key, request) {
      let name = ''
      let held: Held | undefined
      await guest.eventually(async () => {
        name = `outlasts${++outlasting}`
        const standing = await guest.acquire(key, name, request)
        if (standing.state === 'held') held = standing
        return held !== undefined
      }, 'the ttl did not end')
      return { name, held: held! }
    },
    async queue(key, name, request) {
      assert.equal((await guest.acquire(key, name, { waitMs: 60_000, ...request })).state, 'queued')
    },
    async renew(key, name, newTtlMs = ttlMs) {
      const [standing] = await session.renew([{ key, id: id(name), ttlMs: newTtlMs, waitMs: 60_000 }])
      return standing!
    },
    async release(key, name) {
      const [released] = await session.release([{ key, id: id(name) }])
      return released!
    },
    async eventually(condition, otherwise) {
      await new Promise((resolve) => setImmediate(resolve))
      const untilMs = Date.now() + patienceMs
      while (!(await condition())) {
        if (Date.now() > untilMs) assert.fail(otherwise)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    async turn(key, name) {
      let found: Held | undefined
      await guest.eventually(async () => {
        if (driver.supports.queue === 'pushed') found = granted.get(id(name))
        else {
          const standing = await guest.renew(key, name)
          if (standing.state === 'held') found = standing
        }
        return found !== undefined
      }, `${name} was never told that it holds the key`)
      return found!
    },
  }
  return guest
}
