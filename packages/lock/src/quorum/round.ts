import type { Clock } from '@headrace/core'
import type { QuorumNode, Reply } from './node.ts'
import { type Answer, agreed, majority, type Verdict, verdict, winner } from './rules.ts'

/** What an attempt asks for, as the nodes are told. */
export interface Terms {
  readonly key: string
  readonly id: string
  /**
   * Counts the names under which it has asked: what was given back is not asked for again under the same name, because
   * the message that gives it back can be the later one to arrive.
   */
  name: number
  readonly tokens: number
  readonly label: string
  ttlMs: number
  waitMs: number
}

export const nameOf = ({ id, name }: Pick<Terms, 'id' | 'name'>): string => (name === 0 ? id : `${id}~${name}`)

/** The id and the count of a name. */
export function readName(text: string): { id: string; name: number } {
  const [id = '', name = '0'] = text.split('~')
  return { id, name: Number(name) }
}

/** A node that does not vote because it may have lost data: how long it still stays out. */
export interface Absence {
  readonly leftMs: number
  readonly empty: boolean
}

/** What the nodes have answered to the votes of one attempt. */
export interface Round {
  readonly answers: (Answer<string> | undefined)[]
  verdict: Verdict
  /** Who has a majority, where somebody else does. */
  winner: string | undefined
  /** The node that has put the attempt into its queue, its clock then, and the name of the place. */
  queued: { readonly at: number; readonly serverMs: number; readonly name: number } | undefined
  /** When the first of the owners' ttls ends that is in the way. */
  leftMs: number
  readonly failures: unknown[]
  readonly away: Map<number, Absence>
}

const queued = 2
const no = 3
const away = 4

/** An empty round; `known` are answers that came by other ways. */
export function openRound(nodes: number, known: ReadonlyMap<number, number> = new Map()): Round {
  const answers = Array.from({ length: nodes }, (_, at): Answer<string> | undefined => {
    const last = known.get(at)
    return last === undefined ? undefined : { yes: true, last }
  })
  return {
    answers,
    verdict: verdict(answers),
    winner: undefined,
    queued: undefined,
    leftMs: Number.POSITIVE_INFINITY,
    failures: [],
    away: new Map(),
  }
}

// For so long the node with the queue may be later than a majority of the others.
const graceMs = 10

/**
 * Sends votes to the nodes `to` and resolves as soon as the outcome is certain: nobody waits for a slow node, except for
 * a moment for `firstAt`, the one with the queue, which may know of somebody who comes first. Where the attempt wants a
 * place in that queue (`enqueue`), a refusal is certain when that node has answered too.
 */
export function askVotes(
  nodes: readonly QuorumNode[],
  to: readonly number[],
  terms: Terms,
  round: Round,
  options: {
    readonly clock: Clock
    readonly proposal: number
    readonly after?: string
    readonly firstAt?: number
    readonly enqueue?: boolean
  },
): Promise<Round> {
  const { clock, proposal, after = '-', firstAt = -1, enqueue = false } = options
  const { key, tokens, ttlMs, waitMs, label } = terms
  const name = nameOf(terms)
  const place = nameOf({ id: terms.id, name: terms.name + 1 })
  return new Promise((resolve) => {
    let missing = to.length
    let cancel: (() => void) | undefined
    const finish = () => {
      cancel?.()
      resolve(round)
    }
    const hasAnswered = (at: number) => round.answers[at] !== undefined
    const sound = nodes.flatMap((node, at) => (node.suspect ? [] : [at]))
    const settle = () => {
      round.verdict = verdict(round.answers)
      round.winner = winner(round.answers)
      const { state } = round.verdict
      const asks = firstAt >= 0 && to.includes(firstAt) && round.answers[firstAt] === undefined
      const waits = asks && state === 'lost' && enqueue
      if (asks && !waits && state !== 'open' && !nodes[firstAt]!.suspect) {
        cancel ??= clock.after(graceMs, () => resolve(round))
        return
      }
      // Where the votes are split, a node that has not answered for long would decide, and everybody would wait for it.
      const enough = state === 'open' && sound.length >= majority(nodes.length) && sound.every(hasAnswered)
      if (missing === 0 || enough || (state !== 'open' && !waits)) finish()
    }
    for (const at of to) {
      round.answers[at] = undefined
      const wait = enqueue && at === firstAt ? Math.ceil(waitMs) : 0
      nodes[at]!.send(
        key,
        `v ${name} ${wait > 0 ? place : '-'} ${after} ${proposal} ${tokens} ${Math.ceil(ttlMs)} ${wait} ${label}`,
        (reply) => {
          missing--
          take(nodes[at]!, round, at, reply)
          settle()
        },
      )
    }
    settle()
  })
}

function take(node: QuorumNode, round: Round, at: number, reply: Reply) {
  if ('error' in reply) {
    round.failures.push(reply.error)
    round.answers[at] = { yes: false, owner: undefined }
    return
  }
  // A yes is the counter alone.
  if (!Array.isArray(reply.value)) {
    node.away = false
    round.answers[at] = { yes: true, last: Number(reply.value) }
    return
  }
  const [code, value, owner, serverMs, place] = reply.value as [number, number, string, number, string]
  node.away = Number(code) === away
  const named = Number(code) === no || Number(code) === queued
  if (named) round.leftMs = Math.min(round.leftMs, Number(value))
  else round.away.set(at, { leftMs: Math.max(0, Number(value)), empty: Number(owner) === 1 })
  if (Number(code) === queued) round.queued = { at, serverMs: Number(serverMs), name: readName(place).name }
  round.answers[at] = { yes: false, owner: named ? owner : undefined }
}

/** The second round, at the nodes that have not given exactly `last`. */
export function askRaise(nodes: readonly QuorumNode[], terms: Terms, round: Round, last: number): Promise<boolean> {
  const answers = round.answers.map((answer): true | undefined =>
    answer?.yes && answer.last === last ? true : undefined,
  )
  return askAll(nodes, terms.key, `r ${nameOf(terms)} ${last}`, { known: answers }).then(({ state }) => state === 'won')
}

export interface Poll {
  readonly state: 'won' | 'lost' | 'open'
  readonly failures: readonly unknown[]
}

/** The yes of a node to a release, where it has called the next in line. */
export const hasPassedOn = 4

/**
 * Asks the nodes whose answer is not `known` for a yes (1) or something else. `open`: failures leave it open.
 * `heard` gets every answer, also those that come when the outcome is certain. What is not urgent is sent later.
 */
export function askAll(
  nodes: readonly QuorumNode[],
  key: string,
  operation: string,
  options: {
    readonly known?: readonly (boolean | undefined)[]
    isUrgent?(at: number): boolean
    heard?(at: number, code: number): void
  } = {},
): Promise<Poll> {
  const { known = [], isUrgent, heard } = options
  return new Promise((resolve) => {
    const answers = nodes.map((_, at) => known[at])
    const failures: unknown[] = []
    let missing = answers.filter((answer) => answer === undefined).length
    const settle = () => {
      const state = agreed(answers)
      if (missing === 0 || state !== 'open') resolve({ state, failures })
    }
    for (const [at, node] of nodes.entries()) {
      if (answers[at] !== undefined) continue
      const take = (reply: Reply) => {
        missing--
        if ('error' in reply) failures.push(reply.error)
        else {
          const code = Number(reply.value)
          answers[at] = code === 1 || code === hasPassedOn
          heard?.(at, code)
        }
        settle()
      }
      if (!isUrgent || isUrgent(at)) node.send(key, operation, take)
      else node.sendLater(key, operation, take)
    }
    settle()
  })
}
