import { seededRandom, systemClock, throwIfAborted, within } from '@headrace/core'
import { measureApart } from './apart.ts'
import type { Bench, BenchCase, BenchContext, Contestant, Measurement, ServerName } from './bench.ts'
import { collectGarbage } from './garbage.ts'
import { compare, median, type Row } from './rows.ts'

export interface RunOptions {
  readonly quick?: boolean
  readonly seed?: number
  readonly signal?: AbortSignal
  /** Told before each measurement, for a line of progress. */
  readonly onMeasure?: (at: { case: string; contestant: string; round: number; rounds: number }) => void
  readonly url?: (server: ServerName) => string
}

/**
 * Runs every case of a bench: one round to warm up, then the repetitions. In each round every contestant measures once,
 * ours first in one and last in the next, so that neither a drift of the machine nor the place in the order favours one.
 * @throws Error that names case and contestant where one fails, delivers no number, or exceeds its limit.
 */
export async function runBench(name: string, bench: Bench, options: RunOptions = {}): Promise<Row[]> {
  const rows: Row[] = []
  for (const benchCase of bench.cases) rows.push(...(await runCase(name, bench, benchCase, options)))
  return rows
}

async function runCase(name: string, bench: Bench, benchCase: BenchCase, options: RunOptions): Promise<Row[]> {
  const { quick = false, seed = 1, signal, onMeasure, url = noServer } = options
  const contestants: [string, Contestant][] = [['ours', benchCase.ours], ...Object.entries(benchCase.peers ?? {})]
  const measured = new Map<string, Measurement[]>(contestants.map(([contestant]) => [contestant, []]))
  const runs = quick ? 3 : (bench.runs ?? 5)

  // What is measured apart warms up by itself, each time.
  for (let round = benchCase.apart ? 1 : 0; round <= runs; round++) {
    for (const [contestant, measure] of round % 2 === 0 ? contestants.toReversed() : contestants) {
      throwIfAborted(signal, `bench ${name}`)
      onMeasure?.({ case: benchCase.name, contestant, round, rounds: runs })
      collectGarbage()
      const at = { case: benchCase.name, contestant }
      const work = benchCase.apart ? (context: BenchContext) => measureApart(name, bench, at, context) : measure
      const measurement = await measureOnce(`${contestant} in case "${benchCase.name}"`, work, benchCase, {
        quick,
        warmUp: round === 0,
        durationMs: quick ? 300 : 2_000,
        seed: seed + round,
        limitMs: bench.limitMs ?? 120_000,
        signal,
        url,
      })
      if (round > 0) measured.get(contestant)!.push(measurement)
    }
  }
  return rowsOf(name, benchCase, measured)
}

type OneRun = Pick<BenchContext, 'quick' | 'warmUp' | 'durationMs' | 'seed' | 'url'> & {
  limitMs: number
  signal: AbortSignal | undefined
}

async function measureOnce(
  who: string,
  measure: Contestant,
  { metrics }: BenchCase,
  run: OneRun,
): Promise<Measurement> {
  const { limitMs, signal, ...rest } = run
  const stop = new AbortController()
  const abort = () => stop.abort(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const context: BenchContext = { ...rest, random: seededRandom(rest.seed), signal: stop.signal }
    const work = Promise.resolve(context).then(measure)
    const measurement = await within(systemClock, limitMs, work, { signal: stop.signal, what: who })
    for (const [metric, value] of Object.entries(measurement)) {
      if (!(metric in metrics)) throw new RangeError(`metric "${metric}" is not declared`)
      if (!Number.isFinite(value)) throw new RangeError(`metric "${metric}" must be a finite number, received ${value}`)
    }
    return measurement
  } catch (cause) {
    throwIfAborted(signal, who)
    throw new Error(`${who}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  } finally {
    // A measurement that was given up must not go on beside the next one.
    stop.abort()
    signal?.removeEventListener('abort', abort)
  }
}

function rowsOf(bench: string, benchCase: BenchCase, measured: ReadonlyMap<string, readonly Measurement[]>): Row[] {
  const values = (contestant: string, metric: string) =>
    measured.get(contestant)!.flatMap((measurement) => measurement[metric] ?? [])
  return Object.entries(benchCase.metrics).flatMap(([metric, unit]) => {
    const ours = values('ours', metric)
    const runs = measured.get('ours')!.length
    if (ours.length < runs) throw new RangeError(`ours in case "${benchCase.name}" did not deliver ${metric} each time`)
    const row = { bench, case: benchCase.name, metric, unit, ours: median(ours) }
    const against = Object.keys(benchCase.peers ?? {}).flatMap((peerName): Row[] => {
      const peer = values(peerName, metric)
      if (peer.length === 0) return []
      if (peer.length < runs)
        throw new RangeError(`${peerName} in case "${benchCase.name}" did not deliver ${metric} each time`)
      return [{ ...row, peer: median(peer), peerName, ...compare(ours, peer), runs }]
    })
    const alone = { ...row, peer: null, peerName: null, ratio: null, ratioMin: null, ratioMax: null, runs }
    return against.length > 0 ? against : [alone]
  })
}

function noServer(server: ServerName): never {
  throw new RangeError(`servers of the bench must name "${server}"`)
}
