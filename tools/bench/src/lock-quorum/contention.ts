import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { startRedis } from '@headrace/stack'
import type { BenchContext, Contestant } from '../bench.ts'
import { openQuorumLibrary, type QuorumLibraryName, ttlMs } from './libraries.ts'

const processes = 4
const contendersEach = 8

// The same three for all contestants; they end with this process.
let started: Promise<readonly string[]> | undefined
const threeServers = () => {
  const start = async () => {
    const servers = await Promise.all([1, 2, 3].map(() => startRedis({ appendOnly: false })))
    // Ours lets new nodes vote when they are as old as the longest ttl.
    await new Promise((resolve) => setTimeout(resolve, ttlMs + 1_100))
    return servers.map(({ url }) => url)
  }
  started ??= start()
  return started
}

interface Seen {
  readonly counts: number[]
  readonly waitsMs: number[]
  readonly commands: number
}

/** 32 contenders in 4 processes for one key on three servers, each with a section of 1 ms. */
export const contendedQuorum =
  (library: QuorumLibraryName): Contestant =>
  async (context) => {
    const durationMs = context.durationMs * 2
    const urls = await threeServers()
    const options = { library, urls, prefix: randomUUID(), contenders: contendersEach, sectionMs: 1, durationMs }
    const contenders = Array.from({ length: processes }, () => startContender(options, context))
    await Promise.all(contenders.map(({ ready }) => ready))
    for (const { go } of contenders) go()
    const seen = await Promise.all(contenders.map(({ result }) => result))
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

function startContender(options: object, { signal }: BenchContext) {
  const file = fileURLToPath(new URL('contender.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@headrace/source', file, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal,
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`a contender ended with ${code}`)))
    const { value } = await Promise.race([lines.next(), ended])
    if (value === undefined) throw new Error('a contender ended without a word')
    return value as string
  }
  const ready = line()
  const result = Promise.withResolvers<Seen>()
  ready.then(line).then((text) => result.resolve(JSON.parse(text) as Seen), result.reject)
  return { ready, go: () => child.stdin.write('go\n'), result: result.promise }
}

/** One caller, one free key after the other. */
export const aloneQuorum =
  (library: QuorumLibraryName): Contestant =>
  async (context) => {
    const locks = await openQuorumLibrary(library, await threeServers(), randomUUID())
    try {
      const end = performance.now() + context.durationMs
      const start = performance.now()
      let pairs = 0
      for (; performance.now() < end; pairs++) {
        const release = await locks.acquire(`k${pairs % 50}`)
        await release()
      }
      return {
        pairsPerSec: (pairs / (performance.now() - start)) * 1e3,
        commandsEach: locks.commands / pairs,
      }
    } finally {
      await locks.close()
    }
  }
