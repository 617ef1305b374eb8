import { type Clock, HeadraceError, isHeadraceError } from '@headrace/core'
import { createLocks, type LockDriver } from '@headrace/lock'
import { createWriter, type Receipt, type Store, type Writer, type WriterEvent } from '@headrace/writer'
import type { Directory } from './directory.ts'
import { type Command, fightOn, firstBoss, type Result, type Room } from './room.ts'
import { suspendableClock } from './suspendable-clock.ts'

/** A command on its way to its room. */
export interface Order {
  readonly id: string
  readonly room: string
  readonly command: Command
}

export interface ServerStats {
  readonly id: string
  readonly ticksOnTime: number
  /** Begun more than half a tick late, or left out. */
  readonly ticksLate: number
  /** Writes that were refused because another server has the rooms. */
  readonly stale: number
}

/** One game server: a loop with a fixed tick in front of a writer for each shard that it was asked for. */
export interface GameServer {
  /**
   * Takes an order for the next tick, and resolves when it is durable.
   * @throws HeadraceError `BUSY`: the inbox is full; `UNAVAILABLE`: the server has stopped; or what the writer throws.
   */
  submit(shard: string, order: Order): Promise<Receipt<Result>>
  /** Its time stands still: no ticks, no heartbeats, no renewals. What was on its way comes in, and what comes in stays. */
  suspend(): void
  /** It goes on with the tick in which it was stopped, and does not know that it was away. */
  resume(): void
  stats(): ServerStats
  close(): Promise<void>
}

const inboxMax = 10_000

/** Rooms move between servers by shard: a shard is a writer, its rooms are the keys, and one lease covers them all. */
export const writerName = (shard: string): string => `arena-${shard}`

export function createGameServer(
  id: string,
  options: {
    readonly store: Store
    readonly lockService: LockDriver
    readonly directory: Directory
    readonly tickMs: number
    /** For how long the shards of a server that died belong to nobody. */
    readonly leaseMs: number
    readonly observe: (shard: string, event: WriterEvent) => void
    readonly clock?: Clock
  },
): GameServer {
  const { store, lockService, directory, tickMs, leaseMs, observe } = options
  const clock = suspendableClock(options.clock)
  const locks = createLocks(lockService, { clock, ttlMs: leaseMs, label: id })
  const writers = new Map<string, Writer<Room, Command, Result>>()
  const counts = { ticksOnTime: 0, ticksLate: 0, stale: 0 }
  let inbox: { shard: string; order: Order; answer: PromiseWithResolvers<Receipt<Result>> }[] = []
  let closing: Promise<void> | undefined
  let dueMs = clock.nowMs() + tickMs
  let cancelTick = clock.after(tickMs, tick)
  directory.beat(id)

  function tick(): void {
    const lateMs = clock.nowMs() - dueMs
    // After a pause the loop does not run after the ticks it has missed: their commands are in the inbox all the same.
    const missed = Math.max(0, Math.floor(lateMs / tickMs))
    const isLate = lateMs > tickMs / 2
    counts.ticksLate += missed + (isLate ? 1 : 0)
    counts.ticksOnTime += isLate ? 0 : 1
    dueMs += (missed + 1) * tickMs

    const orders = inbox
    inbox = []
    for (const { shard, order, answer } of orders) answer.resolve(apply(shard, order))
    if (directory.beat(id)) cancelTick = clock.after(dueMs - clock.nowMs(), tick)
    else server.close().catch(() => {})
  }

  async function apply(shard: string, { id, room, command }: Order): Promise<Receipt<Result>> {
    try {
      return await writerOf(shard).write(room, command, { id })
    } catch (error) {
      if (isHeadraceError(error, 'STALE')) counts.stale++
      throw error
    }
  }

  function writerOf(shard: string): Writer<Room, Command, Result> {
    let writer = writers.get(shard)
    if (!writer) {
      writer = createWriter<Room, Command, Result>({
        ...{ name: writerName(shard), initial: firstBoss, decide: fightOn },
        ...{ store, locks, clock },
        observe: (event) => observe(shard, event),
      })
      writers.set(shard, writer)
    }
    return writer
  }

  async function shut(): Promise<void> {
    clock.resume()
    cancelTick()
    directory.leave(id)
    for (const { answer } of inbox) answer.reject(new HeadraceError('UNAVAILABLE', `${id} has stopped`))
    inbox = []
    await Promise.all([...writers.values()].map((writer) => writer.close()))
    await locks.close()
  }

  const server: GameServer = {
    async submit(shard, order) {
      if (closing !== undefined) throw new HeadraceError('UNAVAILABLE', `${id} has stopped`)
      if (inbox.length >= inboxMax) throw new HeadraceError('BUSY', 'the inbox is full', { retryAfterMs: tickMs })
      const answer = Promise.withResolvers<Receipt<Result>>()
      inbox.push({ shard, order, answer })
      return answer.promise
    },
    suspend: clock.suspend,
    resume() {
      clock.resume()
      if (closing !== undefined) return
      cancelTick()
      tick()
    },
    stats: () => ({ id, ...counts }),
    close() {
      closing ??= shut()
      return closing
    },
  }
  return server
}
