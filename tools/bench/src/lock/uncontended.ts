import type { Contestant } from '../bench.ts'
import { closedLoop } from '../closed-loop.ts'
import { type LibraryName, openLibrary } from './libraries.ts'
import { oneServer, type ServersOf } from './servers.ts'

export const pairMetrics: Readonly<Record<string, string>> = {
  pairsPerSec: '1/s',
  clientCpuUs: 'µs',
  commandsEach: '',
  p50Ms: 'ms',
  p99Ms: 'ms',
}

/** Leases of free keys, taken and given back, with so many callers at a time. */
export const pairs =
  (library: LibraryName, callers: number, serversOf: ServersOf = oneServer): Contestant =>
  async (context) => {
    const locks = await openLibrary(library, await serversOf(context))
    try {
      // Each round is short beside the life of a process: without this the compiler would be measured too.
      const call = async (caller: number, index: number) => {
        const release = await locks.acquire(`${caller}:${index % 50}`)
        await release()
      }
      await closedLoop(context, { callers, call, durationMs: context.durationMs / 4 })
      const cpu = process.cpuUsage()
      const before = locks.commands
      const { answeredPerSec, p50Ms, p99Ms } = await closedLoop(context, { callers, call })
      const { user, system } = process.cpuUsage(cpu)
      const answered = (answeredPerSec * context.durationMs) / 1e3
      return {
        pairsPerSec: answeredPerSec,
        clientCpuUs: (user + system) / answered,
        commandsEach: (locks.commands - before) / answered,
        p50Ms,
        p99Ms,
      }
    } finally {
      await locks.close()
    }
  }
