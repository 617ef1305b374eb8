import type { Clock, HeadraceError, Random } from '@headrace/core'
import type { Gone, Held, Queued, Standing } from '../driver.ts'
import { giveBack, passOn, renewHold, tooFew } from './hold.ts'
import type { QuorumNode } from './node.ts'
import { clockDrift, type Place, type Turn } from './place.ts'
import { createQuarantine } from './quarantine.ts'
import { askRaise, askVotes, nameOf, openRound, type Round } from './round.ts'
import { majority } from './rules.ts'

export interface Contest {
  acquire(place: Place): Promise<Standing>
  /** Looks again for a place that waits. */
  look(place: Place): Promise<Standing>
  turn(place: Place, turn: Turn): void
  renew(place: Place): Promise<Standing>
  release(place: Place): Promise<boolean>
}

// Those who share the votes of a free key settle it between them within a few round trips.
const roundsMax = 8
const admissionsMax = 4
// A majority that another one has for longer than that is a grant, not a split vote.
const yieldAfter = 3
// While it waits, a session asks about a key at least this often: so it finds out that the node with the queue is gone.
const lookMs = 1_000
// Keys for which there was a queue lately are asked for at that node first.
const busyKeysMax = 10_000

export function createContest(options: {
  readonly nodes: readonly QuorumNode[]
  readonly clock: Clock
  readonly random: Random
  readonly ttlMaxMs: number
  granted(id: string, held: Held): void
}): Contest {
  const { nodes, clock, random, ttlMaxMs, granted } = options
  const quarantine = createQuarantine(nodes, clock, ttlMaxMs)
  const everywhere = nodes.map((_, at) => at)
  const quorum = majority(nodes.length)
  const busyKeys = new Set<string>()

  const proposal = () => Math.floor(clock.wallMs() * 1_000)
  const others = (at: number) => everywhere.filter((other) => other !== at)
  const noteBusy = (key: string) => {
    if (busyKeys.size >= busyKeysMax) busyKeys.clear()
    busyKeys.add(key)
  }
  const free = (place: Place, at: readonly number[]) => {
    for (const one of at) nodes[one]!.send(place.key, `f ${nameOf(place)}`)
  }
  /** Gives everything back; what is asked for after that has a new name. */
  const renounce = (place: Place) => {
    free(place, everywhere)
    place.name++
  }
  const held = (place: Place, last: number, votes: Round): Held => {
    place.state = 'held'
    place.votes = votes
    place.last = last
    return { state: 'held', token: BigInt(last - place.tokens + 1), tokens: place.tokens }
  }
  const gone = (round: Round): Gone =>
    Number.isFinite(round.leftMs) ? { state: 'gone', leftMs: round.leftMs } : { state: 'gone' }
  const queued = (place: Place, state: 'queued' | 'turn', at: number, leftMs: number): Queued => {
    place.state = state
    place.at = at
    noteBusy(place.key)
    return { state: 'queued', leftMs: Math.max(1, Math.min(leftMs, lookMs)) }
  }
  const unavailable = ({ failures, away }: Round): HeadraceError => {
    const waits = [...away.values()].map(({ leftMs }) => leftMs)
    const out = away.size > 0 ? `, ${away.size} stay out because they may have lost data` : ''
    const retryAfterMs = waits.length > 0 ? Math.max(...waits) : undefined
    return tooFew(nodes, failures, { said: `vote${out}`, retryAfterMs })
  }
  /** Whether those that vote are a majority. */
  const voting = (round: Round) => nodes.length - round.failures.length - round.away.size >= quorum
  const pause = (attempt: number) => clock.sleep(2 ** attempt * (0.5 + random.next()))

  const works = (at: number) => !nodes[at]!.suspect && !nodes[at]!.away
  /** The first node that seems to work has the queue. Which one it is decides the order of waiters, and nothing else. */
  const queueNode = async (place: Place, except?: ReadonlySet<number>): Promise<number> => {
    if (place.at >= 0 && works(place.at) && !except?.has(place.at)) return place.at
    const candidates = everywhere.filter((at) => !except?.has(at))
    // What does not work is tried last, not left out: how else would it be found to work again?
    for (const at of [...candidates.filter(works), ...candidates.filter((one) => !works(one))]) {
      try {
        await nodes[at]!.listen()
        return at
      } catch {}
    }
    return -1
  }

  const votes = async (
    place: Place,
    to: readonly number[],
    round: Round,
    how: { proposal?: number; after?: string; firstAt?: number; enqueue?: boolean } = {},
  ) => {
    const sentMs = clock.nowMs()
    await askVotes(nodes, to, place, round, { clock, proposal: proposal(), ...how })
    if (round.queued) place.seen = { at: round.queued.at, sentMs, serverMs: round.queued.serverMs }
    if (round.away.size > 0) void quarantine.admit(round.away)
    return round
  }

  /** Asks for a place in the queue of one node, and of the next where that does not work. */
  const enqueue = async (place: Place): Promise<{ at: number; round: Round }> => {
    const tried = new Set<number>()
    const failures: unknown[] = []
    for (;;) {
      const at = await queueNode(place, tried)
      const round = openRound(nodes.length)
      if (at < 0 || place.ended) {
        round.failures.push(...failures)
        return { at: -1, round }
      }
      await votes(place, [at], round, { firstAt: at, enqueue: true })
      if (round.failures.length === 0 && !round.away.has(at)) return { at, round }
      failures.push(...round.failures)
      tried.add(at)
    }
  }

  /** What follows from a round, and the rounds that follow from it. */
  const settle = async (place: Place, begun: Round, queueAt: number, listened: boolean): Promise<Standing> => {
    let round = begun
    for (let attempt = 0; ; attempt++) {
      if (place.ended) return { state: 'gone' }
      const { verdict } = round
      const first = round.answers[queueAt]
      // Others would let us pass somebody whose turn it is by the queue.
      const passes = first?.yes === false && first.owner !== undefined
      if (passes && round.queued === undefined && place.waitMs === 0) {
        renounce(place)
        return gone(round)
      }
      if (verdict.state === 'won' && !passes) return held(place, verdict.last, round)
      if (verdict.state === 'raise' && !passes) {
        if (await askRaise(nodes, place, round, verdict.last)) return held(place, verdict.last, round)
        if (place.ended) return { state: 'gone' }
      } else if (!voting(round)) {
        // It takes three answers of each node until it votes, however long those take.
        const soon = attempt < admissionsMax && round.failures.length === 0 && (await quarantine.admit(round.away))
        if (!soon || place.ended) {
          renounce(place)
          return { state: 'failed', error: unavailable(round) }
        }
      } else if (round.queued) {
        const { at, name } = round.queued
        if (name !== place.name) free(place, others(at))
        place.name = name
        return queued(place, 'queued', at, round.leftMs)
      } else if (round.answers[queueAt]?.yes !== true) {
        // Only the owner of the node with the queue goes on: so those who share the votes do not block each other.
        if (place.waitMs > 0) {
          renounce(place)
          return await join(place, attempt)
        }
        renounce(place)
        return gone(round)
      } else if (place.waitMs === 0 && attempt >= (round.winner === undefined ? roundsMax : yieldAfter)) {
        renounce(place)
        return gone(round)
      } else if (attempt >= roundsMax) {
        return queued(place, 'turn', queueAt, round.leftMs)
      } else if (attempt === yieldAfter && round.winner !== undefined) {
        // The holder is in the queue, behind: it is let pass, so that its release calls the next.
        renounce(place)
        round = await votes(place, [queueAt], openRound(nodes.length), { firstAt: queueAt, enqueue: true })
        if (round.queued) continue
      } else await pause(attempt)
      if (place.ended) return { state: 'gone' }
      round = await votes(place, everywhere, openRound(nodes.length), { firstAt: queueAt, enqueue: listened })
    }
  }

  /** Gets a place in a queue; where the key is free there, the votes of the other nodes too. */
  const join = async (place: Place, depth: number): Promise<Standing> => {
    const { at, round } = await enqueue(place)
    if (place.ended) return { state: 'gone' }
    if (at < 0 || depth > roundsMax) {
      renounce(place)
      return { state: 'failed', error: unavailable(round) }
    }
    if (round.queued) {
      place.name = round.queued.name
      return queued(place, 'queued', at, round.leftMs)
    }
    busyKeys.delete(place.key)
    place.at = at
    return await claim(place, at, round)
  }

  /** The node `at` is ours: asks the others. */
  const claim = async (place: Place, at: number, round: Round, after?: string): Promise<Standing> => {
    const own = round.answers[at]
    const first = own?.yes ? own.last - place.tokens + 1 : proposal()
    if (nodes.length > 1)
      await votes(place, others(at), round, { proposal: first, ...(after !== undefined && { after }) })
    return await settle(place, round, at, true)
  }

  const contend = async (place: Place): Promise<Standing> => {
    if (place.waitMs > 0 && nodes.length > 1 && busyKeys.has(place.key)) return await join(place, 0)
    // Most keys are free: a place in a queue, and the connection that hears of it, are for those who are refused.
    const firstAt = everywhere.findIndex(works)
    const round = await votes(place, everywhere, openRound(nodes.length), { firstAt })
    return await settle(place, round, firstAt, false)
  }

  const trust = (place: Place, sinceMs: number, ttlMs: number) => {
    place.untilMs = Math.max(place.untilMs, sinceMs + ttlMs * (1 - clockDrift))
  }

  /** One thing at a time for one place; a turn that comes meanwhile is taken afterwards. */
  const alone = async (place: Place, work: () => Promise<Standing>): Promise<Standing> => {
    if (place.busy) return { state: 'queued', leftMs: lookMs }
    place.busy = true
    try {
      return await work()
    } finally {
      place.busy = false
      const { called } = place
      place.called = undefined
      if (called) contest.turn(place, called)
    }
  }

  /** Notes for how long what was asked for now can be trusted. */
  const dated = async (place: Place, work: () => Promise<Standing>): Promise<Standing> => {
    const sentMs = clock.nowMs()
    const standing = await work()
    if (standing.state === 'held') trust(place, sentMs, place.ttlMs)
    return standing
  }

  const contest: Contest = {
    acquire: (place) =>
      place.state === 'held' ? contest.renew(place) : dated(place, () => alone(place, () => contend(place))),
    look: (place) =>
      dated(place, () =>
        alone(place, async () => {
          if (place.state === 'turn') {
            const round = await votes(place, everywhere, openRound(nodes.length), { firstAt: place.at, enqueue: true })
            return await settle(place, round, place.at, true)
          }
          return await join(place, 0)
        }),
      ),
    turn(place, turn) {
      if (place.busy) {
        place.called = turn
        return
      }
      // A place that it has left since, or a node that it does not need.
      if (place.ended || place.state === 'held' || turn.name !== place.name) {
        if (turn.name !== place.name)
          nodes[turn.at]!.send(place.key, `f ${nameOf({ id: place.id, name: turn.name })} ${turn.after}`)
        return
      }
      const { seen } = place
      // A moment `d` later on the node's clock was at least `d` after we had sent what it answered.
      const elapsedMs = seen?.at === turn.at ? Math.max(0, (turn.grantedMs - seen.serverMs) * (1 - clockDrift) - 1) : 0
      const sinceMs = (seen?.at === turn.at ? seen.sentMs : place.askedMs) + elapsedMs
      const take = async () => {
        const standing = await claim(
          place,
          turn.at,
          openRound(nodes.length, new Map([[turn.at, turn.last]])),
          turn.after,
        )
        if (standing.state === 'held') {
          trust(place, sinceMs, turn.ttlMs)
          granted(place.id, { ...standing, sinceMs, ttlMs: turn.ttlMs })
        }
        return standing
      }
      void alone(place, take)
    },
    renew: (place) => dated(place, () => renewHold({ nodes, quarantine, renounce }, place)),
    async release(place) {
      const { key, at, votes } = place
      const isHeld = place.state === 'held' && clock.nowMs() < place.untilMs
      if (isHeld && votes?.answers[at]?.yes && works(at) && busyKeys.has(key))
        return await passOn(nodes, at, place, votes, () => busyKeys.delete(key))
      return (await giveBack(nodes, place, place.state === 'queued')) && isHeld
    },
  }
  return contest
}
