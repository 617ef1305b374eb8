import { randomUUID } from 'node:crypto'
import type { Contestant } from '../bench.ts'
import { startProcess } from '../processes.ts'
import type { LibraryName } from './libraries.ts'
import { oneServer, type ServersOf } from './servers.ts'

const processes = 4
const contendersEach = 8

interface Seen {
  readonly counts: number[]
  readonly waitsMs: number[]
  readonly commands: number
}

export const turnMetrics: Readonly<Record<string, string>> = {
  acquiredPerSec: '1/s',
  waitP99Ms: 'ms',
  waitMaxMs: 'ms',
  jain: '',
  commandsEach: '',
}

/** 32 contenders in 4 processes for one key, each with a section of `sectionMs`. */
export const contended =
  (library: LibraryName, sectionMs: number, serversOf: ServersOf = oneServer): Contestant =>
  async (context) => {
    const durationMs = context.durationMs * 2
    const urls = await serversOf(context)
    const options = { library, urls, prefix: randomUUID(), contenders: contendersEach, sectionMs, durationMs }
    const all = Array.from({ length: processes }, () =>
      startProcess(new URL('contender.ts', import.meta.url), options, context),
    )
    await Promise.all(all.map((one) => one.line()))
    for (const one of all) one.say('go')
    const seen = await Promise.all(all.map(async (one): Promise<Seen> => JSON.parse(await one.line())))
    const counts = seen.flatMap((one) => one.counts)
    const waits = seen.flatMap((one) => one.waitsMs).sort((a, b) => a - b)
    const total = counts.reduce((sum, count) => sum + count, 0)
    const squares = counts.reduce((sum, count) => sum + count * count, 0)
    return {
      acquiredPerSec: (total / durationMs) * 1e3,
      waitP99Ms: waits[Math.floor(waits.length * 0.99)] ?? durationMs,
      waitMaxMs: waits.at(-1) ?? durationMs,
      jain: squares > 0 ? total ** 2 / (counts.length * squares) : 0,
      commandsEach: seen.reduce((sum, one) => sum + one.commands, 0) / Math.max(1, total),
    }
  }
