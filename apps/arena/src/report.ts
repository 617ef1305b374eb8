import Table from 'cli-table3'
import type { Invariants } from './audit.ts'
import type { Fight } from './fight.ts'

/** The figures of a fight, as `--json` prints them. */
export interface Figures {
  readonly commands: number
  readonly commandsPerSec: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly seconds: number
  /** Commands whose bot gave up, or had no answer yet when the fight ended. */
  readonly unanswered: number
  readonly servers: readonly {
    readonly id: string
    readonly state: 'played on' | 'stopped'
    readonly rooms: number
    readonly ticksOnTime: number
    readonly ticksLate: number
    readonly stale: number
  }[]
  /** The fencing token that each shard was last written with. */
  readonly tokens: Readonly<Record<string, string>>
  readonly takeOvers: readonly {
    readonly shard: string
    readonly rooms: number
    readonly from: string
    readonly to: string
    readonly tokens: readonly string[]
    readonly silentMs: number
  }[]
  readonly invariants: Invariants
}

export function figuresOf(fight: Fight, invariants: Invariants): Figures {
  const { sent, seconds, shards, servers, owners, stopped } = fight
  const answered = sent.flatMap(({ answeredMs }) => answeredMs ?? [])
  const latenciesMs = Float64Array.from(answered).sort()
  const roomsOf = (shard: string) => shards.get(shard)?.length ?? 0
  const held = [...owners.now]
  return {
    commands: answered.length,
    commandsPerSec: rounded(answered.length / seconds),
    p50Ms: rounded(percentile(latenciesMs, 0.5)),
    p99Ms: rounded(percentile(latenciesMs, 0.99)),
    maxMs: rounded(percentile(latenciesMs, 1)),
    seconds: rounded(seconds),
    unanswered: sent.length - answered.length,
    servers: servers.map((server) => ({
      ...server,
      state: server.id === stopped ? 'stopped' : 'played on',
      rooms: held.reduce((sum, [shard, owner]) => sum + (owner.server === server.id ? roomsOf(shard) : 0), 0),
    })),
    tokens: Object.fromEntries(held.map(([shard, { token }]) => [shard, String(token)])),
    takeOvers: owners.takeOvers.map((takeOver) => ({
      ...takeOver,
      rooms: roomsOf(takeOver.shard),
      tokens: takeOver.tokens.map(String),
      silentMs: rounded(takeOver.silentMs),
    })),
    invariants,
  }
}

/** What a person wants to know of a fight. */
export function reportOf(figures: Figures): string {
  const { commands, commandsPerSec, p50Ms, p99Ms, maxMs, unanswered } = figures
  const { servers, tokens, takeOvers, invariants } = figures
  const summary = table()
  summary.push(
    ['commands answered', number(commands)],
    ['commands per second', number(commandsPerSec)],
    ['answer p50 / p99 / max, with the wait for the tick', `${p50Ms} / ${p99Ms} / ${maxMs} ms`],
    ['given up, or without an answer at the end', number(unanswered)],
    ['every answer is in the database', verdict(invariants.acknowledgedKept)],
    ['in order, without a gap', verdict(invariants.inOrder)],
    ['each command applied once', verdict(invariants.appliedOnce)],
    ['dealt + left = bosses + heals', verdict(invariants.hitPointsConserved)],
    ['each item handed out once', verdict(invariants.lootOnce)],
    ['no write under an old fencing token', verdict(invariants.fenced)],
  )
  const fleet = table('server', '', 'rooms at the end', 'ticks on time', 'late', 'refused as STALE')
  for (const { id, state, rooms, ticksOnTime, ticksLate, stale } of servers) {
    fleet.push([id, state, number(rooms), number(ticksOnTime), number(ticksLate), number(stale)])
  }
  const moves = table('shard', 'rooms', 'from', 'to', 'fencing token', 'silent for')
  for (const { shard, rooms, from, to, tokens, silentMs } of takeOvers) {
    moves.push([shard, number(rooms), from, to, tokens.join(' → '), `${number(silentMs)} ms`])
  }
  const held = Object.entries(tokens).map(([shard, token]) => `${shard} ${token}`)
  return [summary, fleet, ...(takeOvers.length > 0 ? [moves] : []), `fencing tokens: ${held.join(', ')}`].join('\n')
}

function table(...head: string[]): Table.Table {
  return new Table({ head, style: { head: [], border: [] } })
}

const verdict = (holds: boolean) => (holds ? 'holds' : 'BROKEN')
const number = (value: number) => Math.round(value).toLocaleString('en')
const rounded = (value: number) => Number(value.toPrecision(4))

/** @param sorted ascending. */
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}
