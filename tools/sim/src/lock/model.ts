import {
  type Answer,
  agreed,
  type Ballot,
  floorFor,
  free,
  join,
  majority,
  type Report,
  raise,
  renew,
  verdict,
  vote,
} from '../../../../packages/lock/src/quorum/rules.ts'
// The rules are no public name of the lock. That package.json names @headrace/lock all the same has nx run this when they change.
import type { Model } from '../search.ts'
import { attempt, layoutOf, link, node, phase, sortColumns, whole } from './layout.ts'

export interface Scene {
  readonly nodes: number
  readonly attempts: number
  /**
   * `any`: a node may forget its owner at any moment, as if clocks ran as they like; only tokens are looked at.
   * `bounded`: never before the ttl has ended for the client, which counts from the sending; then nobody may hold at the
   * same time as somebody else.
   */
  readonly clocks: 'any' | 'bounded'
  /** How often each vote may arrive at a node; 2 by default: a message that comes again. */
  readonly deliveriesMax?: number
  /** First tokens that a client may propose; only 0 by default. */
  readonly proposals?: readonly number[]
  /** Size of the block of tokens of each grant; 1 by default. */
  readonly tokens?: number
  /** Nodes that may restart empty: 0 (the default) or 1. */
  readonly restarts?: 0 | 1
  /** Holders renew, and then take the nodes that they lack. */
  readonly renewals?: boolean
  /** A client may name an attempt that is over, and take the key from it before the node has heard. */
  readonly handsOver?: boolean
  /** What a careless implementation does instead. */
  readonly careless?: Careless
}

export const carelessness = [
  'one round',
  'raise without owner check',
  'raise that keeps a higher counter',
  'release without owner check',
  'votes right after an empty restart',
  'copies at once after an empty restart',
  'waits after an empty restart, copies nothing',
  'trust from the answer',
  'hand-over from an owner whose ttl ended at one node',
  'renewal by one node',
  'asks again under the name that it has given back',
  'a minority is enough',
] as const

export type Careless = (typeof carelessness)[number]

const promises = [
  '',
  'two grants share a token',
  'a grant has a lower token than one that was there before it began',
  'a grant has a lower token than one before it',
  'two hold the key at the same time',
]

const actions = {
  start: 1,
  vote: 2,
  answer: 3,
  decide: 4,
  raise: 5,
  raiseAnswer: 6,
  raised: 7,
  giveUp: 8,
  release: 9,
  free: 10,
  expire: 11,
  clock: 12,
  renew: 13,
  renewArrives: 14,
  renewAnswer: 15,
  renewed: 16,
  join: 17,
  restart: 18,
  copy: 19,
  admit: 20,
  again: 21,
} as const

/** Every step that clients, nodes, the network and clocks can take with the rules of the lock on a quorum. */
export function lockModel(scene: Scene): Model {
  const { nodes, attempts, clocks, deliveriesMax = 2, proposals = [0], tokens = 1 } = scene
  const { restarts = 0, renewals = false, handsOver = false, careless } = scene
  const layout = layoutOf(nodes, attempts)
  const { attemptAt, nodeAt, linkAt, bytes } = layout
  const bounded = clocks === 'bounded'
  const next = new Uint8Array(bytes)

  const ballot = (state: Uint8Array, n: number): Ballot<number> => {
    const owner = state[nodeAt(n) + node.owner]!
    return { owner: owner === 0 ? undefined : owner, last: state[nodeAt(n) + node.last]! }
  }
  const write = (n: number, { owner = 0, last }: Ballot<number>) => {
    next[nodeAt(n) + node.owner] = owner
    next[nodeAt(n) + node.last] = last
  }
  /** Forgets what no longer matters, so that states differ only where it does. */
  const clear = (a: number, fields: readonly number[]) => {
    for (let n = 0; n < nodes; n++) for (const field of fields) next[linkAt(a, n) + field] = 0
  }
  const votingFields = [link.flying, link.flyingToo, link.answer]
  const raisingFields = [link.raiseFlying, link.raiseAnswer]
  const renewingFields = [link.renewFlying, link.renewAnswer]
  const finish = (a: number) => {
    next[attemptAt(a) + attempt.phase] = phase.over
    next[attemptAt(a) + attempt.freed] = 1
    clear(a, [...votingFields, ...raisingFields, ...renewingFields])
  }
  const answers = (state: Uint8Array, a: number): (Answer<number> | undefined)[] =>
    Array.from({ length: nodes }, (_, n) => {
      const last = state[linkAt(a, n) + link.answer]!
      return last === 0 ? undefined : { yes: true, last }
    })
  const marks = (state: Uint8Array, a: number, field: number): (true | undefined)[] =>
    Array.from({ length: nodes }, (_, n) => (state[linkAt(a, n) + field] === 1 ? true : undefined))

  const grant = (a: number, last: number) => {
    const at = attemptAt(a)
    next[at + attempt.phase] = phase.holding
    next[at + attempt.last] = last
    next[at + attempt.granted] = 1
    clear(a, [...votingFields, ...raisingFields])
    for (let b = 0; b < attempts; b++) {
      const other = attemptAt(b)
      if (b === a || next[other + attempt.granted] === 0) continue
      const otherLast = next[other + attempt.last]!
      if (Math.abs(last - otherLast) < tokens) next[whole.broken] = 1
      else if (last < otherLast && (next[at + attempt.earlier]! >> b) & 1) next[whole.broken] = 2
      else if (bounded && last < otherLast) next[whole.broken] = 3
      if (bounded && next[other + attempt.phase] === phase.holding) next[whole.broken] = 4
    }
  }

  return {
    bytes,
    start: new Uint8Array(bytes),
    canonical: sortColumns(layout),
    violation(state) {
      if (state[whole.broken] !== 0) return promises[state[whole.broken]!]
      // Of the careless, what is shown is the harm, not its first sign.
      if (!bounded || restarts > 0 || careless) return undefined
      for (let a = 0; a < attempts; a++) {
        if (state[attemptAt(a) + attempt.phase] !== phase.holding) continue
        let owned = 0
        for (let n = 0; n < nodes; n++) if (state[nodeAt(n) + node.owner] === a + 1) owned++
        if (owned < majority(nodes)) return 'a grant is lost while its ttl runs: a majority of nodes has forgotten it'
      }
      return undefined
    },
    next(state, to) {
      const emit = (action: number, a: number, n: number) => to(next, (action * 16 + a) * 16 + n)

      for (let a = 0; a < attempts; a++) {
        const at = attemptAt(a)
        const id = a + 1
        const now = state[at + attempt.phase]!
        const ended = state[at + attempt.ended]!
        const last = state[at + attempt.last]!

        if (now === phase.idle) {
          // Attempts differ by name only, so they begin in the order of their names.
          if (a > 0 && state[attemptAt(a - 1) + attempt.phase] === phase.idle) continue
          let earlier = 0
          for (let b = 0; b < a; b++) earlier |= state[attemptAt(b) + attempt.granted]! << b
          for (let b = handsOver ? -1 : a - 1; b < a; b++) {
            const after = handsOver ? b : -1
            if (after >= 0) {
              const other = attemptAt(after)
              const over = state[other + attempt.phase] === phase.over
              const hasty =
                careless === 'hand-over from an owner whose ttl ended at one node' &&
                (state[other + attempt.ended]! & 1) === 1
              if (!over && !hasty) continue
            }
            for (const proposal of proposals) {
              next.set(state)
              next[at + attempt.phase] = phase.voting
              next[at + attempt.earlier] = earlier
              next[at + attempt.after] = after + 1
              next[at + attempt.proposal] = proposal
              emit(actions.start, a, 0)
            }
            if (!handsOver) break
          }
          continue
        }

        for (let n = 0; n < nodes; n++) {
          const column = nodeAt(n)
          const between = linkAt(a, n)
          const known = ballot(state, n)
          const open = state[column + node.quarantined] === 0

          if (open && state[between + link.deliveries]! < deliveriesMax) {
            const after = state[at + attempt.after]!
            const proposal = state[at + attempt.proposal]!
            const [then, answer] = vote(known, { id, after: after === 0 ? undefined : after, proposal, tokens })
            // A vote that is refused is as good as lost.
            if (answer.yes) {
              next.set(state)
              write(n, then)
              if (known.owner !== id) next[column + node.generation] = 0
              next[between + link.deliveries]!++
              const wanted = now === phase.voting && state[between + link.answer] === 0
              if (wanted && state[between + link.flying] !== answer.last) {
                next[between + (state[between + link.flying] === 0 ? link.flying : link.flyingToo)] = answer.last
              }
              if (wanted || known.owner !== id) emit(actions.vote, a, n)
            }
          }
          for (const field of [link.flying, link.flyingToo]) {
            if (state[between + field] === 0) continue
            next.set(state)
            next[between + link.answer] = state[between + field]!
            next[between + link.flying] = 0
            next[between + link.flyingToo] = 0
            emit(actions.answer, a, n)
          }
          if (open && state[at + attempt.raised] === 1) {
            const [then, yes] =
              careless === 'raise without owner check' ||
              (careless === 'raise that keeps a higher counter' && known.owner === id)
                ? ([{ ...known, last: Math.max(known.last, last) }, true] as const)
                : raise(known, id, last)
            if (yes) {
              next.set(state)
              write(n, then)
              if (now === phase.raising && state[between + link.raiseAnswer] === 0) next[between + link.raiseFlying] = 1
              emit(actions.raise, a, n)
            }
          }
          if (state[between + link.raiseFlying] === 1) {
            next.set(state)
            next[between + link.raiseFlying] = 0
            next[between + link.raiseAnswer] = 1
            emit(actions.raiseAnswer, a, n)
          }
          if (state[at + attempt.freed] === 1 && known.owner !== undefined) {
            const [then, yes] =
              careless === 'release without owner check'
                ? ([{ ...known, owner: undefined }, true] as const)
                : free(known, id)
            if (yes) {
              next.set(state)
              write(n, then)
              next[column + node.generation] = 0
              emit(actions.free, a, n)
            }
          }
          if (known.owner === id) {
            const generation = state[column + node.generation]!
            if (!bounded || (ended >> generation) & 1) {
              next.set(state)
              write(n, { owner: undefined, last: known.last })
              next[column + node.generation] = 0
              emit(actions.expire, a, n)
            }
          }
          if (state[at + attempt.renewal]! >= 1 && open && renew(known, id)) {
            next.set(state)
            next[column + node.generation] = 1
            if (now === phase.holding && state[at + attempt.renewal] === 1 && state[between + link.renewAnswer] === 0)
              next[between + link.renewFlying] = 1
            emit(actions.renewArrives, a, n)
          }
          if (state[between + link.renewFlying] === 1) {
            next.set(state)
            next[between + link.renewFlying] = 0
            next[between + link.renewAnswer] = 1
            emit(actions.renewAnswer, a, n)
          }
          if (open && state[at + attempt.joins] === 1 && known.owner === undefined) {
            const [then] = join(known, id, last)
            next.set(state)
            write(n, then)
            next[column + node.generation] = 1
            emit(actions.join, a, n)
          }
        }

        const late = bounded && (ended & 1) === 1 && careless !== 'trust from the answer'
        if (now === phase.voting && !late) {
          const found = verdict(answers(state, a))
          const minority = answers(state, a).find((answer) => answer?.yes)
          next.set(state)
          if (found.state === 'won' || (found.state === 'raise' && careless === 'one round')) {
            grant(a, found.last)
            emit(actions.decide, a, 0)
          } else if (found.state === 'raise') {
            next[at + attempt.phase] = phase.raising
            next[at + attempt.last] = found.last
            next[at + attempt.raised] = 1
            for (let n = 0; n < nodes; n++)
              if (state[linkAt(a, n) + link.answer] === found.last) next[linkAt(a, n) + link.raiseAnswer] = 1
            clear(a, votingFields)
            emit(actions.decide, a, 0)
          } else if (careless === 'a minority is enough' && minority?.yes) {
            grant(a, minority.last)
            emit(actions.decide, a, 0)
          }
        }
        if (now === phase.raising && !late && agreed(marks(state, a, link.raiseAnswer)) === 'won') {
          next.set(state)
          grant(a, last)
          emit(actions.raised, a, 0)
        }
        if (now === phase.voting || now === phase.raising) {
          next.set(state)
          finish(a)
          emit(actions.giveUp, a, 0)
        }
        if (
          careless === 'asks again under the name that it has given back' &&
          now === phase.over &&
          state[at + attempt.granted] === 0
        ) {
          next.set(state)
          next[at + attempt.phase] = phase.voting
          next[at + attempt.last] = 0
          next[at + attempt.raised] = 0
          emit(actions.again, a, 0)
        }
        if (now === phase.holding) {
          next.set(state)
          finish(a)
          emit(actions.release, a, 0)
          if (renewals && state[at + attempt.renewal] === 0) {
            next.set(state)
            next[at + attempt.renewal] = 1
            emit(actions.renew, a, 0)
          }
          if (state[at + attempt.renewal] === 1) {
            const acknowledged = marks(state, a, link.renewAnswer)
            const enough =
              careless === 'renewal by one node' ? acknowledged.includes(true) : agreed(acknowledged) === 'won'
            if (enough) {
              next.set(state)
              next[at + attempt.renewal] = 2
              next[at + attempt.joins] = 1
              clear(a, renewingFields)
              emit(actions.renewed, a, 0)
            }
          }
        }
        if (bounded) {
          // The ttl of the votes, then that of the renewal, which was sent later.
          const renewal = state[at + attempt.renewal]!
          if ((ended & 1) === 0 || (renewal >= 1 && (ended & 2) === 0)) {
            const bit = (ended & 1) === 0 ? 1 : 2
            next.set(state)
            next[at + attempt.ended]! |= bit
            const trusted = bit === 1 && renewal === 2
            if (now !== phase.over && !trusted && careless !== 'trust from the answer') finish(a)
            emit(actions.clock, a, 0)
          }
        }
      }

      for (let n = 0; n < nodes && restarts > 0; n++) {
        const column = nodeAt(n)
        if (state[whole.restarts]! < restarts) {
          next.set(state)
          next[whole.restarts]!++
          for (let a = 0; a < attempts; a++) {
            const began = state[attemptAt(a) + attempt.phase] !== phase.idle
            if (began) next[whole.running]! |= (state[attemptAt(a) + attempt.renewal]! >= 1 ? 3 : 1) << (2 * a)
          }
          write(n, { owner: undefined, last: 0 })
          next[column + node.generation] = 0
          next[column + node.quarantined] = careless === 'votes right after an empty restart' ? 0 : 1
          emit(actions.restart, 0, n)
          continue
        }
        let runs = false
        for (let a = 0; a < attempts; a++) {
          const running = (state[whole.running]! >> (2 * a)) & 3
          if ((running & ~state[attemptAt(a) + attempt.ended]!) !== 0) runs = true
        }
        if (runs && careless !== 'copies at once after an empty restart') continue
        if (state[column + node.quarantined] === 1) {
          const reports = Array.from({ length: nodes }, (_, m): Report | undefined => {
            if (m === n) return { ready: false, high: 0 }
            return state[nodeAt(m) + node.copied] === 1 ? { ready: true, high: state[whole.floor]! } : undefined
          })
          const nothing = careless === 'waits after an empty restart, copies nothing'
          const floor = nothing ? 0 : floorFor(n, reports)
          if (floor === undefined) continue
          next.set(state)
          next[column + node.quarantined] = 0
          next[column + node.last] = floor
          next[whole.floor] = 0
          for (let m = 0; m < nodes; m++) next[nodeAt(m) + node.copied] = 0
          emit(actions.admit, 0, n)
        } else if (state[column + node.copied] === 0 && quarantine(state)) {
          next.set(state)
          next[column + node.copied] = 1
          next[whole.floor] = Math.max(state[whole.floor]!, state[column + node.last]!)
          emit(actions.copy, 0, n)
        }
      }
    },
    describe(action, before, after) {
      const n = action % 16
      const a = Math.floor(action / 16) % 16
      const client = `client ${String.fromCharCode(65 + a)}`
      const server = `node ${n + 1}`
      const last = after[nodeAt(n) + node.last]!
      const token = after[attemptAt(a) + attempt.last]!
      const taken = before[attemptAt(a) + attempt.after]! || after[attemptAt(a) + attempt.after]!
      const passes = taken > 0 ? `, after client ${String.fromCharCode(64 + taken)}` : ''
      switch (Math.floor(action / 256)) {
        case actions.start:
          return `${client} asks all nodes for the key${passes}, proposing ${after[attemptAt(a) + attempt.proposal]}`
        case actions.vote:
          return `${server} votes for ${client}, counter ${last}`
        case actions.answer:
          return `${client} hears from ${server}: counter ${after[linkAt(a, n) + link.answer]}`
        case actions.decide:
          return after[attemptAt(a) + attempt.phase] === phase.holding
            ? `${client} HOLDS the key with token ${token}`
            : `${client} asks its nodes to raise their counter to ${token}`
        case actions.raise:
          return `${server} raises its counter to ${last} for ${client}`
        case actions.raiseAnswer:
          return `${client} hears that ${server} has raised its counter`
        case actions.raised:
          return `${client} HOLDS the key with token ${token}`
        case actions.giveUp:
          return `${client} gives up`
        case actions.release:
          return `${client} releases the key`
        case actions.free:
          return `${server} hears that ${client} does not want the key any more, and is free`
        case actions.expire:
          return `at ${server} the ttl of ${client} ends`
        case actions.clock:
          return `the ttl of ${client} has ended, by its own clock`
        case actions.renew:
          return `${client} asks all nodes to renew`
        case actions.renewArrives:
          return `${server} renews for ${client}`
        case actions.renewAnswer:
          return `${client} hears that ${server} has renewed`
        case actions.renewed:
          return `${client} trusts its key for another ttl`
        case actions.join:
          return `${server}, which was free, joins the votes for ${client}`
        case actions.restart:
          return `${server} restarts and has lost everything`
        case actions.again:
          return `${client} asks all nodes again, under the same name`
        case actions.copy:
          return `the restarted node copies the counter ${last} from ${server}`
        default:
          return `${server} votes again, from counter ${last} on`
      }
    },
  }

  function quarantine(state: Uint8Array): boolean {
    for (let m = 0; m < nodes; m++) if (state[nodeAt(m) + node.quarantined] === 1) return true
    return false
  }
}
