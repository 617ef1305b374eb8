import { type Backoff, type Clock, HeadraceError } from '@headrace/core'
import type { Calls } from './calls.ts'
import type { ConsulPort } from './port.ts'
import { ConsulRefusal } from './port.ts'
import { encoded } from './queue.ts'

/** A session at Consul. Entries made under it are gone when it is. */
export interface Membership {
  readonly id: string
  /** Consul ends it no earlier than this after its last renewal, and at about twice of it. */
  readonly ttlMs: number
  /** When the last renewal that was confirmed had been sent, by our clock. */
  sinceMs: number
  /** Ids that have an entry under it, or may have. */
  readonly ids: Set<string>
  /** Those that wait: nobody but us renews for them. */
  readonly waiting: Set<string>
  /** Takes no newcomers, and is destroyed when its last id has left. */
  retired: boolean
  over: boolean
  renewing: Promise<number | undefined> | undefined
  readonly stop: AbortController
}

/** The sessions of this process at Consul: one for each ttl in use, and a ttl is one of few. */
export interface Memberships {
  /** A session that lives, and was confirmed no longer than a third of `ttlMs` ago. */
  enter(ttlMs: number): Promise<Membership>
  /** When the renewal was sent; undefined where Consul knows the session no more. */
  renew(membership: Membership): Promise<number | undefined>
  /** Consul says that the session is gone, and with it all that it held. */
  end(membership: Membership): void
  leave(membership: Membership, id: string): void
  /** Something may still be made under it that nobody knows of; that ends with the session. */
  retire(membership: Membership): void
  close(): Promise<void>
}

export function createMemberships(options: {
  readonly port: ConsulPort
  readonly calls: Calls
  readonly clock: Clock
  readonly backoff: Backoff
  readonly name: string
  readonly ttlMinMs: number
  readonly ttlMaxMs: number
  readonly mailbox: (session: string) => string
  /** The mailbox was written to. */
  readonly mail: (membership: Membership) => Promise<void>
  readonly ended: (membership: Membership) => void
}): Memberships {
  const { port, calls, clock, backoff, name, ttlMinMs, ttlMaxMs, mailbox, mail, ended } = options
  const current = new Map<number, Membership>()
  const opening = new Map<number, Promise<Membership>>()
  const all = new Set<Membership>()
  let closed = false

  const ageMs = ({ sinceMs }: Membership) => clock.nowMs() - sinceMs
  const drop = (membership: Membership) => {
    if (current.get(membership.ttlMs) === membership) current.delete(membership.ttlMs)
  }

  const open = async (ttlMs: number): Promise<Membership> => {
    const sinceMs = clock.nowMs()
    let id: string
    try {
      id = await calls.run('session/create', (signal) => port.createSession(name, ttlMs, signal))
    } catch (error) {
      if (error instanceof ConsulRefusal && /invalid session ttl/i.test(error.message))
        throw new HeadraceError('REJECTED', `consul takes no session of ${ttlMs} ms: see ttlMinMs`, { cause: error })
      throw error
    }
    const box = { Verb: 'lock', Key: mailbox(id), Session: id, Value: encoded(null) } as const
    const [made] = await calls.run('txn', (signal) => port.transact([box], signal))
    const membership: Membership = {
      id,
      ttlMs,
      sinceMs,
      ids: new Set(),
      waiting: new Set(),
      retired: false,
      over: false,
      renewing: undefined,
      stop: new AbortController(),
    }
    all.add(membership)
    current.set(ttlMs, membership)
    void attend(membership, made!.ModifyIndex)
    if (closed) await destroy(membership)
    return membership
  }

  const openOnce = (ttlMs: number) => {
    let promise = opening.get(ttlMs)
    if (!promise) {
      promise = open(ttlMs).finally(() => opening.delete(ttlMs))
      opening.set(ttlMs, promise)
    }
    return promise
  }

  const renew = async (membership: Membership) => {
    const sentMs = clock.nowMs()
    const known = await calls.run('session/renew', (signal) => port.renewSession(membership.id, signal))
    if (!known) {
      memberships.end(membership)
      return undefined
    }
    membership.sinceMs = Math.max(membership.sinceMs, sentMs)
    return sentMs
  }

  /**
   * Watches the mailbox, which Consul deletes with the session. It asks again at a third of the ttl: often enough to
   * renew for those who wait. A session of nobody is not renewed, ends, and this with it.
   */
  const attend = async (membership: Membership, fromIndex: number) => {
    const { ttlMs, stop } = membership
    const { signal } = stop
    const waitMs = Math.ceil(ttlMs / 3)
    let index = fromIndex
    let failures = 0
    while (!membership.over) {
      try {
        if (membership.waiting.size > 0 && ageMs(membership) > ttlMs / 4) await memberships.renew(membership)
        if (membership.over) return
        const spot = { name: mailbox(membership.id), recurse: false, index }
        const sentMs = clock.nowMs()
        const seen = await calls.run('kv', (own) => port.awaitChange(spot, waitMs, own), {
          limitMs: waitMs * 2 + 5_000,
          signal,
        })
        if (membership.over) return
        if (seen !== index) await mail(membership)
        else if (clock.nowMs() - sentMs < waitMs / 2) throw new Error('woken for nothing')
        // An index that goes back is another count: what it was before says nothing.
        index = seen < index ? 0 : seen
        failures = 0
      } catch {
        if (membership.over) return
        await clock.sleep(backoff(++failures), signal).catch(() => {})
      }
    }
  }

  const finish = (membership: Membership) => {
    membership.over = true
    drop(membership)
    all.delete(membership)
    membership.stop.abort()
  }
  const destroy = async (membership: Membership) => {
    finish(membership)
    // Nobody renews it any more: where this fails, its ttl ends it.
    await calls.run('session/destroy', (signal) => port.destroySession(membership.id, signal)).catch(() => {})
  }

  const memberships: Memberships = {
    async enter(ttlMs) {
      const step = ttlMinMs * 2 ** Math.max(0, Math.ceil(Math.log2(ttlMs / ttlMinMs)))
      const ttlOfSessionMs = Math.ceil(Math.min(step, ttlMaxMs))
      const membership = current.get(ttlOfSessionMs)
      if (!membership) return await openOnce(ttlOfSessionMs)
      if (ageMs(membership) > ttlMs / 3 && (await memberships.renew(membership)) === undefined)
        return await openOnce(ttlOfSessionMs)
      return membership
    },
    renew(membership) {
      membership.renewing ??= renew(membership).finally(() => {
        membership.renewing = undefined
      })
      return membership.renewing
    },
    end(membership) {
      if (membership.over) return
      finish(membership)
      ended(membership)
    },
    leave(membership, id) {
      membership.ids.delete(id)
      membership.waiting.delete(id)
      if (membership.retired && membership.ids.size === 0 && !membership.over) void destroy(membership)
    },
    retire(membership) {
      if (membership.over) return
      membership.retired = true
      drop(membership)
      if (membership.ids.size === 0) void destroy(membership)
    },
    async close() {
      closed = true
      await Promise.all([...all].map(destroy))
    },
  }
  return memberships
}
