import type { Random } from '@headrace/core'

/** A server of `@headrace/stack` that the harness brings unless the environment names one. */
export type ServerName = 'redis' | 'rabbitmq' | 'consul' | 'postgres'

/** What one contestant delivers for one measurement: a finite number for each metric of its case that it can give. */
export type Measurement = Readonly<Record<string, number>>

/** What the harness gives to a contestant. */
export interface BenchContext {
  /** Measure less. Repetitions stay; `durationMs` is shorter. */
  readonly quick: boolean
  /** True in the first round, which is thrown away. */
  readonly warmUp: boolean
  /** How long to measure, for contestants that measure for a while. */
  readonly durationMs: number
  /** A fresh generator for each measurement; ours and the peers of one round get the same numbers. */
  readonly random: Random
  readonly seed: number
  /** Aborts when the bench is interrupted and when the measurement has taken longer than its limit. */
  readonly signal: AbortSignal
  /** Where a server runs that the bench has named in `servers`. */
  url(server: ServerName): string
}

/**
 * Prepares, measures and cleans up one repetition. Only the part that it times itself goes into the measurement;
 * `callsPerSec` and `closedLoop` do that for the two common kinds.
 */
export type Contestant = (context: BenchContext) => Promise<Measurement> | Measurement

export interface BenchCase {
  readonly name: string
  /** Name of each metric and its unit: `{ answeredPerSec: '1/s', p99Ms: 'ms' }`. Ours must deliver all of them. */
  readonly metrics: Readonly<Record<string, string>>
  /**
   * Each measurement in a process of its own, and after one that is thrown away. Where contestants share code it is compiled
   * for all of them in one process, and for none as well as for an application that has one; false.
   */
  readonly apart?: boolean
  readonly ours: Contestant
  /** What a user would take instead, by the name under which it is known. */
  readonly peers?: Readonly<Record<string, Contestant>>
}

export interface Bench {
  /** One sentence: what is compared, and under which load. */
  readonly about: string
  readonly cases: readonly BenchCase[]
  /** What is measured instead with `--scenario`; the description is unchecked JSON. */
  readonly casesOf?: (scenario: unknown) => readonly BenchCase[]
  readonly servers?: readonly ServerName[]
  /** Repetitions of each contestant, at least 3, which is also what `--quick` takes. 5 by default. */
  readonly runs?: number
  /** Limit of one measurement, preparation included, in milliseconds. 120 s by default. */
  readonly limitMs?: number
}

/** Checks a bench when its module is loaded. @throws RangeError that names what is wrong. */
export function defineBench(bench: Bench): Bench {
  const { cases, runs = 5 } = bench
  if (!Number.isInteger(runs) || runs < 3)
    throw new RangeError(`runs must be an integer of at least 3, received ${runs}`)
  if (cases.length === 0) throw new RangeError('cases must not be empty')
  const names = new Set(cases.map(({ name }) => name))
  if (names.size < cases.length) throw new RangeError('cases must have different names')
  for (const { name, metrics, peers = {} } of cases) {
    if (Object.keys(metrics).length === 0) throw new RangeError(`metrics of case "${name}" must not be empty`)
    if ('ours' in peers) throw new RangeError(`peers of case "${name}" must not have one called "ours"`)
  }
  return bench
}
