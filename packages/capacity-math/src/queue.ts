import type { Distribution } from './distribution.ts'
import type { Population } from './population.ts'

/** How far a number is to be trusted: it is the model's own, it is near it, or it is never below it. */
export type Kind = 'exact' | 'approximation' | 'upper-bound'

/** What every queue model here says of itself, stable or not. */
export interface QueueModel {
  /** Of the means; each distribution says its own. */
  readonly kind: Kind
  /** Under which conditions the numbers hold. */
  readonly assumptions: readonly string[]
  /** Share of time a server is busy; where the queue is unstable the offered load per server, from 1. */
  readonly utilization: number
  /** Completions per second in the long run. */
  readonly throughput: number
}

/** More arrives than can be served: the queue grows without end, and has no averages. */
export interface UnstableQueue extends QueueModel {
  readonly stable: false
}

/**
 * Long-run behaviour, times in seconds. Times are those of the arrivals that enter, so that `L = λe W` and `Lq = λe Wq` hold
 * with the rate at which they do, λe = λ (1 - pBlock).
 */
export interface StableQueue extends QueueModel {
  readonly stable: true
  /** Of the arrivals that enter, the share that waits. */
  readonly pWait: number
  /** Share of the arrivals that is turned away. */
  readonly pBlock: number
  /** Share of the arrivals that enters and leaves again unserved. */
  readonly pAbandon: number
  /** Mean number in the system, waiting or served. */
  readonly L: number
  /** Mean number waiting. */
  readonly Lq: number
  /** Mean time in the system. */
  readonly W: number
  /** Mean time waiting. */
  readonly Wq: number
  /** Time waiting, also of those that do not wait. */
  readonly wait: Distribution
  /** Time in the system: waiting and being served. */
  readonly response: Distribution
  /** Number in the system at a random moment. */
  readonly population: Population
}
