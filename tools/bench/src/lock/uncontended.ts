import { randomUUID } from 'node:crypto'
import type { Contestant, Measurement } from '../bench.ts'
import { startProcess } from '../processes.ts'
import type { LibraryName } from './libraries.ts'
import { oneServer, type ServersOf } from './servers.ts'

export const pairMetrics: Readonly<Record<string, string>> = {
  pairsPerSec: '1/s',
  clientCpuUs: 'µs',
  commandsEach: '',
  p50Ms: 'ms',
  p99Ms: 'ms',
}

// Each round is short beside the life of a process: without this the compiler would be measured too.
const warmUpMs = 1_500

/**
 * Leases of free keys, taken and given back, with so many callers at a time. In a process of its own, as an application
 * has one library: with all of them in one, the code of the client that they share is compiled for none of them.
 */
export const pairs =
  (library: LibraryName, callers: number, serversOf: ServersOf = oneServer): Contestant =>
  async (context) => {
    const { durationMs } = context
    const urls = await serversOf(context)
    const options = { library, urls, prefix: randomUUID(), callers, warmUpMs, durationMs }
    const seen = await startProcess(new URL('caller.ts', import.meta.url), options, context).line()
    return JSON.parse(seen) as Measurement
  }
