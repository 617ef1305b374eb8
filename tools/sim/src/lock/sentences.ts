import { attempt, type Layout, link, node, phase } from './layout.ts'

/** What can happen, as the number that a step is told by. */
export const actions = {
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

export type Action = (typeof actions)[keyof typeof actions]

export const stepOf = (action: Action, a: number, n: number): number => (action * 16 + a) * 16 + n

/** A step as a sentence, and what is known after it. */
export function sentence(
  { attemptAt, nodeAt, linkAt }: Layout,
  action: number,
  before: Uint8Array,
  after: Uint8Array,
): string {
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
}
