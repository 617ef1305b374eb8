import type { Bench, BenchContext, Measurement, ServerName } from './bench.ts'
import { startProcess } from './processes.ts'

/** What a process needs to know to measure one contestant. */
export interface Task {
  readonly bench: string
  readonly case: string
  readonly contestant: string
  readonly quick: boolean
  readonly warmUp: boolean
  readonly durationMs: number
  readonly seed: number
  readonly urls: Readonly<Partial<Record<ServerName, string>>>
}

/** One measurement in a process of its own. */
export async function measureApart(
  name: string,
  { servers = [] }: Bench,
  at: { readonly case: string; readonly contestant: string },
  { quick, warmUp, durationMs, seed, url, signal }: BenchContext,
): Promise<Measurement> {
  const urls = Object.fromEntries(servers.map((server) => [server, url(server)]))
  const task: Task = { bench: name, ...at, quick, warmUp, durationMs, seed, urls }
  const process = startProcess(new URL('measure.ts', import.meta.url), task, { signal })
  return JSON.parse(await process.line()) as Measurement
}
