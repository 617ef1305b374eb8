import { seededRandom } from '@headrace/core'
import { type ManualClock, manualClock } from '@headrace/core/testing'
import { createLocks, type LockDriver, type Locks, type LocksOptions } from '@headrace/lock'
import { type RedisQuorumLocksOptions, redisQuorumLocks } from '@headrace/lock/redis-quorum'
import { type SimulatedNode, simulatedNode } from './quorum-nodes.ts'

export interface Outcome<T> {
  readonly value: T | undefined
  readonly error: unknown
  readonly atMs: number
}

export interface SimulatedQuorum {
  readonly clock: ManualClock
  readonly nodes: readonly SimulatedNode[]
  driver(latencyMs?: (node: number) => number, options?: RedisQuorumLocksOptions): LockDriver
  /** A process of its own, which reaches each node in so many milliseconds. */
  session(latencyMs?: (node: number) => number, options?: LocksOptions): Locks
  /** Lets time pass until `work` has settled, and says when that was. */
  settled<T>(work: Promise<T>): Promise<Outcome<T>>
  /** Operations of this kind that nodes have carried out. */
  count(kind: string): number
}

export const ttlMaxMs = 10_000

export async function simulatedQuorum(
  size: number,
  options: { readonly isNew?: boolean; readonly seed?: number } = {},
): Promise<SimulatedQuorum> {
  const { isNew = false, seed = 1 } = options
  const clock = manualClock()
  const random = seededRandom(seed)
  const nodes = Array.from({ length: size }, () => simulatedNode(clock))
  const quorum: SimulatedQuorum = {
    clock,
    nodes,
    driver: (latencyMs = () => 1, own = {}) =>
      redisQuorumLocks(
        nodes.map((node, at) => node.client(latencyMs(at))),
        { ttlMaxMs, random, ...own },
      ),
    session: (latencyMs, own) => createLocks(quorum.driver(latencyMs), { clock, random, ttlMs: 3_000, ...own }),
    async settled<T>(work: Promise<T>) {
      let outcome: Outcome<T> | undefined
      work.then(
        (value) => {
          outcome = { value, error: undefined, atMs: clock.nowMs() }
        },
        (error: unknown) => {
          outcome = { value: undefined, error, atMs: clock.nowMs() }
        },
      )
      for (let ms = 0; !outcome && ms < 60_000; ms++) await clock.advance(ms === 0 ? 0 : 1)
      if (!outcome) throw new Error('not settled within a minute')
      return outcome
    },
    count: (kind) => nodes.reduce((sum, { done }) => sum + done.filter((one) => one.startsWith(kind)).length, 0),
  }
  if (!isNew) {
    const first = quorum.session()
    await quorum.settled(first.withLock('first', () => {}))
    await quorum.settled(first.close())
  }
  return quorum
}
