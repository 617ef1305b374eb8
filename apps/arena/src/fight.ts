import { createBalancer, rendezvous } from '@headrace/balancer'
import { type Clock, seededRandom, systemClock, within } from '@headrace/core'
import { memoryLocks } from '@headrace/lock/memory'
import type { Receipt, Store, WriterEvent } from '@headrace/writer'
import { play, type Sent } from './bot.ts'
import { createDirectory } from './directory.ts'
import { type Owners, watchOwners } from './owners.ts'
import type { Result } from './room.ts'
import { createGameServer, type Order, type ServerStats } from './server.ts'

/**
 * What happens to the server with the most shards, without a word to anybody: `suspend`, it stops and goes on when others
 * have its rooms; `kill`, it stops.
 */
export type Fault = 'suspend' | 'kill' | 'none'

export interface FightOptions {
  /** All servers share it; nobody has fought in it before. */
  readonly store: Store
  readonly rooms: number
  /** Over all rooms. */
  readonly bots: number
  readonly seconds: number
  /** Ticks per second. */
  readonly tick: number
  readonly seed: number
  readonly fault: Fault
  /** How long a server may be silent before its rooms go to others: 1,000 by default, less in a short fight. */
  readonly leaseMs?: number
  /** Ends the fight early. */
  readonly signal?: AbortSignal | undefined
  readonly say?: ((line: string) => void) | undefined
}

/** How a fight went. */
export interface Fight {
  readonly sent: readonly Sent[]
  readonly seconds: number
  /** The rooms of each shard. */
  readonly shards: ReadonlyMap<string, readonly string[]>
  readonly servers: readonly ServerStats[]
  readonly owners: Owners
  /** The server that was suspended or killed. */
  readonly stopped: string | undefined
}

const serverIds = ['server-1', 'server-2', 'server-3']
const shardsMax = 9

/** Three game servers, the balancer in front of them and the bots, in one process. */
export async function fight(options: FightOptions): Promise<Fight> {
  const { store, rooms, bots, tick, seed, fault, signal, say = () => {} } = options
  const { leaseMs = Math.min(1_000, options.seconds * 100) } = options
  let { seconds } = options
  const clock: Clock = systemClock
  const tickMs = 1_000 / tick
  const shards = shardsOf(rooms)
  const lockService = memoryLocks()
  // Struck off before its callers give up: the next command of one who did would hold the shard there once more.
  const directory = createDirectory({ lookMs: Math.max(leaseMs / 6, tickMs) })
  const owners = watchOwners()
  const servers = new Map(
    serverIds.map((id) => {
      const observe = (shard: string, event: WriterEvent) => owners.saw(id, shard, event)
      return [id, createGameServer(id, { store, lockService, directory, tickMs, leaseMs, observe })]
    }),
  )
  // A shard must have one home, whatever the load: a second server would stand in line for its lease.
  const policy = rendezvous({ boundedLoad: Number.POSITIVE_INFINITY })
  const balancer = createBalancer(directory, { policy, random: seededRandom(seed) })

  const over = new AbortController()
  const cancel = clock.after(seconds * 1_000, () => over.abort())
  const ended = signal ? AbortSignal.any([signal, over.signal]) : over.signal
  const sent: Sent[] = []
  const startMs = clock.nowMs()
  let stopped: string | undefined

  /** As long as a lease lives, and a little: who asked elsewhere any sooner would only stand in line for it. */
  const answerMs = leaseMs * 1.1 + tickMs
  function ask(shard: string, order: Order, again: boolean): Promise<Receipt<Result>> {
    // The order carries its id, so that it is safe to ask another server where one does not answer.
    const options = { key: shard, idempotent: again, signal: ended }
    return balancer.call(
      ({ id }) => within(clock, answerMs, servers.get(id)!.submit(shard, order), { what: id }),
      options,
    )
  }

  const playing = Array.from({ length: bots }, (_, index) =>
    play(`bot-${index + 1}`, roomName(index % rooms), {
      ask: (order, again) => ask(shardName(index % rooms), order, again),
      sent: (order) => sent.push(order),
      random: seededRandom(seed * 1_000 + index),
      thinkMs: tickMs,
      ...{ clock, ended },
    }),
  )

  function unlessEnded(error: unknown): void {
    if (!ended.aborted) throw error
  }

  async function stopBusiest(): Promise<void> {
    await clock.sleep(seconds * 300, ended)
    const homes = [...owners.now.values()].map(({ server }) => server)
    const shardsAt = (id: string) => homes.filter((home) => home === id).length
    stopped = serverIds.reduce((most, id) => (shardsAt(id) > shardsAt(most) ? id : most))
    say(`${stopped} stops without a word; it has ${shardsAt(stopped)} of ${shards.size} shards`)
    servers.get(stopped)!.suspend()
    if (fault === 'kill') return
    await clock.sleep(seconds * 400, ended)
    say(`${stopped} wakes up and goes on with the tick in which it was stopped`)
    servers.get(stopped)!.resume()
  }

  try {
    if (fault !== 'none') playing.push(stopBusiest().catch(unlessEnded))
    await Promise.all(playing)
  } finally {
    seconds = (clock.nowMs() - startMs) / 1_000
    over.abort()
    cancel()
    await balancer.close()
    await Promise.all([...servers.values()].map((server) => server.close()))
  }
  return {
    ...{ sent, seconds, shards, owners, stopped },
    servers: [...servers.values()].map((server) => server.stats()),
  }
}

const roomName = (number: number) => `room-${number + 1}`
const shardName = (number: number) => `shard-${(number % shardsMax) + 1}`

function shardsOf(rooms: number): Map<string, string[]> {
  const shards = new Map<string, string[]>()
  for (let number = 0; number < rooms; number++) {
    const shard = shardName(number)
    shards.set(shard, [...(shards.get(shard) ?? []), roomName(number)])
  }
  return shards
}
