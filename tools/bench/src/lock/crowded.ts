import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Contestant } from '../bench.ts'
import { startProcess } from '../processes.ts'
import { type LibraryName, openLibrary } from './libraries.ts'
import { oneServer } from './servers.ts'

export const idleMetrics: Readonly<Record<string, string>> = { idleCommandsPerSec: '1/s', grantMs: 'ms' }
export const killedMetrics: Readonly<Record<string, string>> = { nextGrantMs: 'ms' }

/** So many waiters in one process for a key that is held, and how soon after its release the first of them has it. */
export const waiting =
  (library: LibraryName, waiters: number): Contestant =>
  async (context) => {
    const urls = await oneServer(context)
    const prefix = randomUUID()
    const holder = await openLibrary(library, urls, prefix)
    const crowd = startProcess(new URL('crowd.ts', import.meta.url), { library, urls, prefix, waiters }, context)
    try {
      const release = await holder.acquire('crowded')
      await crowd.line()
      const commands = async () => {
        crowd.say('commands')
        return Number(await crowd.line())
      }
      const [before, since] = [await commands(), performance.now()]
      await sleep(context.durationMs, undefined, context)
      const idleCommandsPerSec = ((await commands()) - before) / ((performance.now() - since) / 1e3)
      const releasedNs = process.hrtime.bigint()
      const [line] = await Promise.all([crowd.line(), release()])
      return { idleCommandsPerSec, grantMs: Number(BigInt(line) - releasedNs) / 1e6 }
    } finally {
      await crowd.kill()
      await holder.close()
    }
  }

/** So many waiters are killed before their turn; how soon after the release the one behind them has the key. */
export const killed =
  (library: LibraryName, waiters: number): Contestant =>
  async (context) => {
    const urls = await oneServer(context)
    const prefix = randomUUID()
    const [holder, survivor] = [await openLibrary(library, urls, prefix), await openLibrary(library, urls, prefix)]
    const control = new Redis(urls[0]!)
    const connections = async () => Number(/connected_clients:(\d+)/.exec(await control.info('clients'))![1])
    try {
      const release = await holder.acquire('crowded')
      const before = await connections()
      const crowd = startProcess(new URL('crowd.ts', import.meta.url), { library, urls, prefix, waiters }, context)
      await crowd.line()
      const next = survivor.acquire('crowded')
      await survivor.asked()
      await crowd.kill()
      while ((await connections()) > before) await sleep(5, undefined, context)
      const since = performance.now()
      const [last] = await Promise.all([next, release()])
      const nextGrantMs = performance.now() - since
      await last()
      return { nextGrantMs }
    } finally {
      control.disconnect()
      await Promise.all([holder.close(), survivor.close()])
    }
  }
