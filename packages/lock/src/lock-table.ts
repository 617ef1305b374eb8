import type { AcquireRequest, Held, LockState, Party, RenewRequest, Share, Standing } from './driver.ts'

/** What a change of the table means for others than the one who asked. */
export interface Notices {
  granted(id: string, held: Held): void
  lost(id: string): void
  asked(id: string): void
}

/** The rules of a lock service, as a table in memory: who holds, who waits, and what follows from each request. */
export interface LockTable {
  acquire(request: AcquireRequest): Standing
  renew(request: RenewRequest): Standing
  release(key: string, id: string): boolean
  inspect(key: string): LockState | null
  evict(key: string, how: 'ask' | 'force'): number
  /** Releases every id that begins with `session`. */
  forget(session: string): void
  /** Loses everything, as a server that restarts empty does; tokens go on. */
  wipe(): void
  /** Keys about which something is known. */
  readonly size: number
}

interface Guest {
  readonly id: string
  readonly ttlMs: number
  readonly tokens: number
  readonly label: string | undefined
  readonly share: Share | undefined
  sinceMs: number
  /** As a holder: the end of its ttl; as a waiter: the end of its patience. */
  untilMs: number
  token: number
}

interface Room {
  readonly holders: Map<string, Guest>
  readonly queue: Map<string, Guest>
}

/**
 * @param nowMs the clock of the service; may differ from its clients'.
 * @param aboveToken every token is greater than this one.
 */
export function createLockTable(nowMs: () => number, notices: Notices, aboveToken = 0n): LockTable {
  const rooms = new Map<string, Room>()
  let lastToken = 0
  const tokenOf = (guest: Guest) => aboveToken + BigInt(guest.token)

  const enter = (key: string): Room => {
    let room = rooms.get(key)
    if (!room) {
      room = { holders: new Map(), queue: new Map() }
      rooms.set(key, room)
    }
    return room
  }
  const tidy = (key: string, room: Room) => {
    if (room.holders.size === 0 && room.queue.size === 0) rooms.delete(key)
  }
  const expire = (guests: Map<string, Guest>) => {
    const now = nowMs()
    for (const [id, guest] of guests) if (guest.untilMs <= now) guests.delete(id)
  }
  const fits = (room: Room, share: Share | undefined) => {
    if (!share) return room.holders.size === 0
    let taken = 0
    for (const holder of room.holders.values()) {
      if (!holder.share) return false
      taken += holder.share.weight
    }
    return taken + share.weight <= share.capacity
  }
  const admit = (room: Room, guest: Guest) => {
    guest.token = lastToken + 1
    lastToken += guest.tokens
    guest.sinceMs = nowMs()
    guest.untilMs = guest.sinceMs + guest.ttlMs
    room.holders.set(guest.id, guest)
  }
  const held = (guest: Guest): Held => ({ state: 'held', token: tokenOf(guest), tokens: guest.tokens })
  const leftMs = (room: Room) => {
    let first = Number.POSITIVE_INFINITY
    for (const holder of room.holders.values()) first = Math.min(first, holder.untilMs)
    return Math.max(0, first - nowMs())
  }
  /** Lets in whoever is in front, for as long as there is room; nobody passes another. */
  const serve = (room: Room) => {
    expire(room.holders)
    for (const [id, guest] of room.queue) {
      if (guest.untilMs <= nowMs()) room.queue.delete(id)
      else if (fits(room, guest.share)) {
        room.queue.delete(id)
        admit(room, guest)
        notices.granted(id, held(guest))
      } else return
    }
  }
  const standing = (room: Room, id: string): Standing | undefined => {
    const holder = room.holders.get(id)
    if (holder) return held(holder)
    return room.queue.has(id) ? { state: 'queued', leftMs: leftMs(room) } : undefined
  }
  const party = (guest: Guest, holds: boolean): Party => ({
    id: guest.id,
    label: guest.label,
    token: holds ? tokenOf(guest) : undefined,
    forMs: nowMs() - guest.sinceMs,
    leftMs: guest.untilMs - nowMs(),
    share: guest.share,
  })

  const table: LockTable = {
    acquire({ key, id, ttlMs, waitMs, tokens, label, share }) {
      const room = enter(key)
      serve(room)
      const known = standing(room, id)
      if (known) return known
      const guest: Guest = { id, ttlMs, tokens, label, share, sinceMs: nowMs(), untilMs: nowMs() + waitMs, token: 0 }
      if (room.queue.size === 0 && fits(room, share)) {
        admit(room, guest)
        return held(guest)
      }
      if (waitMs > 0) {
        room.queue.set(id, guest)
        return { state: 'queued', leftMs: leftMs(room) }
      }
      return { state: 'gone', leftMs: leftMs(room) }
    },
    renew({ key, id, ttlMs, waitMs }) {
      const room = rooms.get(key)
      if (!room) return { state: 'gone' }
      const waiter = room.queue.get(id)
      if (waiter) waiter.untilMs = nowMs() + waitMs
      serve(room)
      const holder = room.holders.get(id)
      if (holder && !waiter) holder.untilMs = nowMs() + ttlMs
      const known = standing(room, id)
      tidy(key, room)
      return known ?? { state: 'gone' }
    },
    release(key, id) {
      const room = rooms.get(key)
      if (!room) return false
      expire(room.holders)
      const was = room.holders.delete(id)
      room.queue.delete(id)
      serve(room)
      tidy(key, room)
      return was
    },
    inspect(key) {
      const room = rooms.get(key)
      if (!room) return null
      serve(room)
      expire(room.queue)
      tidy(key, room)
      if (!rooms.has(key)) return null
      return {
        holders: [...room.holders.values()].map((guest) => party(guest, true)),
        queue: [...room.queue.values()].slice(0, 1_000).map((guest) => party(guest, false)),
      }
    },
    evict(key, how) {
      const room = rooms.get(key)
      if (!room) return 0
      expire(room.holders)
      const ids = [...room.holders.keys()]
      for (const id of ids) {
        if (how === 'ask') notices.asked(id)
        else {
          room.holders.delete(id)
          notices.lost(id)
        }
      }
      serve(room)
      tidy(key, room)
      return ids.length
    },
    forget(session) {
      for (const [key, room] of rooms) {
        for (const id of [...room.holders.keys(), ...room.queue.keys()])
          if (id.startsWith(session)) table.release(key, id)
      }
    },
    wipe() {
      rooms.clear()
    },
    get size() {
      return rooms.size
    },
  }
  return table
}
