import { type Backoff, type Clock, cryptoRandom } from '@headrace/core'
import type { Held, LockEvents } from '../driver.ts'
import type { Calls } from './calls.ts'
import type { Epoch } from './epoch.ts'
import type { Membership } from './memberships.ts'
import type { Names } from './names.ts'
import type { ConsulPort, Entry, Operation, Spot } from './port.ts'
import { hindrance, holds, type Ticket, ticketsOf } from './queue.ts'

/** An id that has an entry at Consul. */
export interface Place {
  readonly key: string
  readonly id: string
  readonly membership: Membership
  readonly tokensWanted: number
  held: boolean
  token: bigint
  /** As a waiter: the end of its patience. */
  untilMs: number
  readonly stop: AbortController
}

/** The ids of this session, and how those that wait learn of their turn. */
export interface Places {
  find(id: string): Place | undefined
  /** Adds what holds, by its ticket in a line that was read just now, or waits. */
  add(place: Place, tickets: readonly Ticket[], at: number): void
  forget(place: Place): void
  /** Consul has lost it; who holds it is told. */
  lose(id: string): void
  heldBy(place: Place): Held
  /** Stops following, and forgets all. */
  clear(): void
}

// By default an agent takes 200 connections from one address, for everything. Who waits beyond these looks now and then.
const watchesMax = 50
const watchMs = 60_000
const lookMs = 1_000

export function createPlaces(options: {
  readonly port: ConsulPort
  readonly calls: Calls
  readonly clock: Clock
  readonly backoff: Backoff
  readonly events: LockEvents
  readonly names: Names
  readonly epoch: Epoch
  readonly transact: (operations: readonly Operation[]) => Promise<readonly Entry[]>
  readonly leave: (place: Place) => void
}): Places {
  const { port, calls, clock, backoff, events, names, epoch, transact, leave } = options
  const all = new Map<string, Place>()
  let watches = 0

  const take = (place: Place, { createIndex }: Ticket) => {
    place.held = true
    place.token = epoch.token(createIndex)
    place.membership.waiting.delete(place.id)
  }

  const watch = async (spot: Spot, signal: AbortSignal) => {
    const sentMs = clock.nowMs()
    const limitMs = watchMs * 1.1 + 5_000
    watches++
    try {
      const index = await calls.run('kv', (own) => port.awaitChange(spot, watchMs, own), { limitMs, signal })
      if (index === spot.index && clock.nowMs() - sentMs < watchMs / 2) throw new Error('woken for nothing')
      // An index that goes back is another count: what it was before says nothing.
      return index < spot.index ? 0 : index
    } finally {
      watches--
    }
  }

  /** Follows a place until it holds, is withdrawn, or is lost. */
  const follow = async (place: Place, seen: readonly Ticket[]) => {
    const { id, stop } = place
    const { signal } = stop
    const folder = names.folder(place.key)
    let tickets: readonly Ticket[] | undefined = seen
    let index = 0
    let failures = 0
    while (!signal.aborted) {
      try {
        if (!tickets) {
          const entries = await transact([epoch.read, { Verb: 'get-tree', Key: folder }])
          if (signal.aborted) return
          await epoch.learn(entries)
          tickets = ticketsOf(entries, folder)
        }
        const at = tickets.findIndex((ticket) => ticket.id === id)
        if (at < 0) {
          places.forget(place)
          events.missed()
          return
        }
        if (clock.nowMs() >= place.untilMs) {
          await transact([{ Verb: 'delete', Key: tickets[at]!.name }])
          places.forget(place)
          return
        }
        if (holds(tickets, at)) {
          take(place, tickets[at]!)
          events.granted(id, places.heldBy(place))
          return
        }
        const spot = hindrance(tickets, at, folder)
        tickets = undefined
        if (watches >= watchesMax) await clock.sleep(lookMs * (0.5 + cryptoRandom.next()), signal)
        else index = await watch({ ...spot, index: Math.max(index, spot.index) }, signal)
        failures = 0
      } catch {
        tickets = undefined
        // It may be another server next time, or the same one with older data: the index of before says nothing.
        index = 0
        if (!signal.aborted) await clock.sleep(backoff(++failures), signal).catch(() => {})
      }
    }
  }

  const places: Places = {
    find: (id) => all.get(id),
    add(place, tickets, at) {
      all.set(place.id, place)
      if (holds(tickets, at)) return take(place, tickets[at]!)
      place.membership.waiting.add(place.id)
      void follow(place, tickets)
    },
    forget(place) {
      place.stop.abort()
      if (all.get(place.id) === place) all.delete(place.id)
      leave(place)
    },
    lose(id) {
      const place = all.get(id)
      if (!place) return
      places.forget(place)
      if (place.held) events.lost(id)
    },
    heldBy: (place) => ({
      state: 'held',
      token: place.token,
      tokens: Math.min(place.tokensWanted, epoch.tokensPerIndex),
      sinceMs: place.membership.sinceMs,
    }),
    clear() {
      for (const { stop } of all.values()) stop.abort()
      all.clear()
    },
  }
  return places
}
