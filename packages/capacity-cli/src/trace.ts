import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { type TrafficReport, trafficEstimator } from '@headrace/capacity-math/estimate'
import { parse } from 'csv-parse'

// As few as the simulation of it takes.
const arrivalsMin = 100

/** What a measured trace says of its arrivals. */
export interface Trace {
  /** Seconds, in order. */
  readonly times: readonly number[]
  readonly arrivals: number
  readonly durationSec: number
  readonly report: TrafficReport
  /** The shortest window in which arrivals were counted. */
  readonly windowSec: number
  /** How many have the time of the one before them: they came at once, or the clock of the trace is coarse. */
  readonly atOnce: number
}

/**
 * Reads arrivals from a CSV file with a header.
 * @param options.column holds the time of each arrival in seconds, in order; by default the first column whose name begins with `at`, or
 * is `time` or `timestamp`.
 * @param options.windowSec the shortest window in which arrivals are counted; by default such that the longest, 16 times it, fits 20 times.
 */
export async function readTrace(
  file: string,
  options: { readonly column?: string; readonly windowSec?: number; readonly confidence?: number } = {},
): Promise<Trace> {
  const times = await readTimes(file, options.column)
  const [first, last] = [times[0], times.at(-1)]
  if (first === undefined || last === undefined || times.length < arrivalsMin || last <= first)
    throw new RangeError(
      `${file} must have ${arrivalsMin} arrivals or more, and not all at one time, received ${times.length}`,
    )
  const durationSec = last - first
  const windowSec = options.windowSec ?? durationSec / (16 * 20)
  const estimator = trafficEstimator({ startedAt: first, window: windowSec })
  for (const at of times) estimator.arrival(at)
  const { confidence = 0.95 } = options
  const atOnce = times.filter((at, i) => at === times[i - 1]).length
  const report = estimator.report(last, { confidence })
  return { times, arrivals: times.length, durationSec, windowSec, atOnce, report }
}

async function readTimes(file: string, wanted: string | undefined): Promise<number[]> {
  const times: number[] = []
  let column = wanted
  // A file that cannot be read ends the rows with its error.
  const rows = parse({ columns: true, skip_empty_lines: true, trim: true })
  pipeline(createReadStream(file), rows, () => {})
  for await (const row of rows as AsyncIterable<Record<string, string>>) {
    column ??= Object.keys(row).find((name) => /^(at|time|timestamp)/i.test(name))
    const text = column === undefined ? undefined : row[column]
    if (text === undefined)
      throw new RangeError(`${file} must have a column ${column ?? 'whose name begins with at or time'}`)
    const at = Number(text)
    if (text === '' || !Number.isFinite(at))
      throw new RangeError(`${column} must be a time in seconds, received ${text} for arrival ${times.length + 1}`)
    times.push(at)
  }
  return times.sort((a, b) => a - b)
}
