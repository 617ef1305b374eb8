import { cryptoRandom, exponentialBackoff } from '@headrace/core'
import type { AcquireRequest, LockEvents, LockSession, Party, RenewRequest, Standing } from '../driver.ts'
import { createCalls } from './calls.ts'
import { createEpoch } from './epoch.ts'
import { createMemberships, type Membership } from './memberships.ts'
import { namesIn } from './names.ts'
import { createPlaces, type Place } from './places.ts'
import { type ConsulPort, ConsulRefusal, type Entry, type Operation } from './port.ts'
import { decoded, encoded, holds, type Note, type Ticket, ticketsOf } from './queue.ts'

/** What is in the mailbox of a session. */
interface Message {
  readonly how: 'ask' | 'force'
  readonly id: string
  /** Makes two messages of the same content two changes. */
  readonly atMs: number
}

// A transaction carries 64 operations; each acquisition takes two, and one is for the epoch.
export const batchMax = 31

export function openLockSession(
  port: ConsulPort,
  events: LockEvents,
  options: { readonly prefix: string; readonly ttlMinMs: number; readonly ttlMaxMs: number },
): LockSession {
  const { clock } = events
  const calls = createCalls(clock)
  const backoff = exponentialBackoff({ delayMinMs: 20, delayMaxMs: 1_000, random: cryptoRandom })
  const names = namesIn(options.prefix)
  const transact = (operations: readonly Operation[]) => calls.run('txn', (signal) => port.transact(operations, signal))
  const epoch = createEpoch({ name: names.epoch, clock, transact })
  const memberships = createMemberships({
    ...options,
    port,
    calls,
    clock,
    backoff,
    name: `headrace ${events.session}`,
    mailbox: names.mailbox,
    async mail(membership) {
      const [entry] = await transact([{ Verb: 'get-tree', Key: names.mailbox(membership.id) }])
      if (!entry) return memberships.end(membership)
      const message = decoded(entry.Value!) as Message | null
      if (!message) return
      if (message.how === 'ask') events.asked(message.id)
      else places.lose(message.id)
    },
    ended(membership) {
      const waited = membership.waiting.size > 0
      for (const id of membership.ids) places.lose(id)
      if (waited) events.missed()
    },
  })

  const places = createPlaces({
    port,
    calls,
    clock,
    backoff,
    events,
    names,
    epoch,
    transact,
    leave: ({ membership, id }) => memberships.leave(membership, id),
  })
  const erase = (entries: readonly string[]) =>
    transact(
      entries.flatMap((Key): Operation[] => [
        { Verb: 'get-tree', Key },
        { Verb: 'delete', Key },
      ]),
    )

  /** Makes an entry for each request, all in one transaction, and looks at what was there before. */
  const queueUp = async (requests: readonly AcquireRequest[], again = false): Promise<Standing[]> => {
    const membership = await memberships.enter(requests[0]!.ttlMs)
    const operations = requests.flatMap(({ key, id, ttlMs, label, share }): Operation[] => {
      const note: Note = { ttlMs, atMs: clock.wallMs(), label, share }
      const folder = names.folder(key)
      const entry = { Key: folder + id, Session: membership.id, Value: encoded(note) }
      return [
        { Verb: 'lock', ...entry },
        { Verb: 'get-tree', Key: folder },
      ]
    })
    for (const { id } of requests) membership.ids.add(id)
    const mark = epoch.mark()
    try {
      const entries = await transact([epoch.read, ...operations])
      await epoch.learn(entries)
      if (membership.over) throw new Error('the session ended meanwhile')
      const found = requests.map(({ key, id }) => {
        const tickets = ticketsOf(entries, names.folder(key))
        const at = tickets.findIndex((ticket) => ticket.id === id)
        if (at < 0) throw new Error('consul has not kept an entry')
        epoch.check(tickets[at]!.createIndex, mark)
        return { tickets, at }
      })
      const standings = requests.map((request, n) => settle(request, membership, found[n]!.tickets, found[n]!.at))
      const unwanted = requests.filter((_, n) => standings[n]!.state === 'gone')
      if (unwanted.length > 0) await erase(unwanted.map(names.entry))
      for (const { id } of unwanted) memberships.leave(membership, id)
      return standings
    } catch (error) {
      const refusal = error instanceof ConsulRefusal ? error : undefined
      if (refusal?.invalidSession) memberships.end(membership)
      // Who asks to release these may be too early, and the entries be made after that: they go with the session at last.
      else if (!refusal?.certain) memberships.retire(membership)
      for (const { id } of requests) memberships.leave(membership, id)
      // Nothing was made under a session that had ended, and another one will do.
      if (refusal?.invalidSession && !again) return await queueUp(requests, true)
      throw error
    }
  }

  /** What the entry that was just made for `request` means. */
  const settle = (
    request: AcquireRequest,
    membership: Membership,
    tickets: readonly Ticket[],
    at: number,
  ): Standing => {
    const { key, id, waitMs, tokens } = request
    if (waitMs === 0 && !holds(tickets, at)) return { state: 'gone' }
    const place: Place = {
      key,
      id,
      membership,
      tokensWanted: tokens,
      held: false,
      token: 0n,
      untilMs: clock.nowMs() + waitMs,
      stop: new AbortController(),
    }
    places.add(place, tickets, at)
    return standingOf(place)
  }

  const standingOf = (place: Place): Standing =>
    place.held ? places.heldBy(place) : { state: 'queued', leftMs: 2 * place.membership.ttlMs }

  return {
    async acquire(requests) {
      const standings = new Array<Standing>(requests.length)
      const groups: { readonly ttlMs: number; readonly keys: Set<string>; readonly places: number[] }[] = []
      for (const [n, { key, id, ttlMs }] of requests.entries()) {
        const known = places.find(id)
        if (known) {
          standings[n] = standingOf(known)
          continue
        }
        // What one transaction makes has one index: two of one key would have the same place in line.
        let group = groups.find((one) => one.ttlMs === ttlMs && !one.keys.has(key))
        if (!group) {
          group = { ttlMs, keys: new Set(), places: [] }
          groups.push(group)
        }
        group.keys.add(key)
        group.places.push(n)
      }
      // One after the other: what two connections carry has no order.
      for (const group of groups) {
        const answers = await queueUp(group.places.map((n) => requests[n]!))
        for (const [m, n] of group.places.entries()) standings[n] = answers[m]!
      }
      return standings
    },

    async renew(requests) {
      const held = requests.flatMap(({ id }) => places.find(id) ?? []).filter((place) => place.held)
      const affected = new Set(held.map(({ membership }) => membership))
      const [entries] = await Promise.all([
        held.length > 0 ? transact(held.map((place) => ({ Verb: 'get-tree', Key: names.entry(place) }))) : [],
        ...[...affected].map((membership) => memberships.renew(membership)),
      ])
      const present = new Set(entries.map(({ Key }) => Key))
      return requests.map(({ key, id, ttlMs, waitMs }: RenewRequest): Standing => {
        const place = places.find(id)
        if (!place) return { state: 'gone' }
        if (!place.held) {
          place.untilMs = clock.nowMs() + waitMs
          return standingOf(place)
        }
        if (!held.includes(place)) return places.heldBy(place)
        if (!present.has(names.entry({ key, id }))) {
          places.forget(place)
          return { state: 'gone' }
        }
        return { ...places.heldBy(place), ttlMs: Math.min(ttlMs, place.membership.ttlMs) }
      })
    },

    async release(requests) {
      const known = requests.map(({ id }) => places.find(id))
      for (const place of known) place?.stop.abort()
      let entries: readonly Entry[]
      try {
        entries = await erase(requests.map(names.entry))
      } catch (error) {
        for (const place of known) if (place) memberships.retire(place.membership)
        throw error
      } finally {
        for (const place of known) if (place) places.forget(place)
      }
      const present = new Set(entries.map(({ Key }) => Key))
      return requests.map((request, n) => known[n]?.held === true && present.has(names.entry(request)))
    },

    async inspect(key) {
      const folder = names.folder(key)
      const entries = await transact([epoch.read, { Verb: 'get-tree', Key: folder }])
      const tickets = ticketsOf(entries, folder)
      if (tickets.length === 0) return null
      await epoch.learn(entries)
      const nowMs = clock.wallMs()
      const holders: Party[] = []
      const queue: Party[] = []
      for (const [at, { id, createIndex, note }] of tickets.entries()) {
        const { label, share, ttlMs: leftMs } = note
        const party = { id, label, share, leftMs, forMs: Math.max(0, nowMs - note.atMs) }
        if (holds(tickets, at)) holders.push({ ...party, token: epoch.token(createIndex) })
        else if (queue.length < 1_000) queue.push(party)
      }
      return { holders, queue }
    },

    async evict(key, how) {
      const folder = names.folder(key)
      const tickets = ticketsOf(await transact([{ Verb: 'get-tree', Key: folder }]), folder)
      const holders = tickets.filter((_, at) => holds(tickets, at))
      let told = 0
      for (const { id, name, session } of holders) {
        const message: Message = { how, id, atMs: clock.wallMs() }
        try {
          await transact([
            { Verb: 'check-session', Key: names.mailbox(session), Session: session },
            { Verb: 'set', Key: names.mailbox(session), Value: encoded(message) },
            ...(how === 'force' ? [{ Verb: 'delete', Key: name } as const] : []),
          ])
          told++
        } catch (error) {
          // Its session ended meanwhile, and with that its hold.
          if (!(error instanceof ConsulRefusal && error.status === 409)) throw error
        }
      }
      return told
    },

    async close() {
      places.clear()
      await memberships.close()
    },
  }
}
