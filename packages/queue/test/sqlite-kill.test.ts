import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createQueue } from '@headrace/queue'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'

const child = fileURLToPath(new URL('child/sqlite-worker.ts', import.meta.url))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-kill-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Runs a worker, for `ms` or until it ends by itself. */
async function work(ms: number, ...args: string[]): Promise<NodeJS.Signals | null> {
  const options = { stdio: ['ignore', 'pipe', 'inherit'] as const }
  const worker = spawn(process.execPath, ['--conditions=@headrace/source', child, ...args], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(worker, 'exit')
  const timer = setTimeout(() => worker.kill('SIGKILL'), 20_000)
  worker.stdout.once('data', () => setTimeout(() => worker.kill('SIGKILL'), ms))
  const [, signal] = (await ended) as [number | null, NodeJS.Signals | null]
  clearTimeout(timer)
  return signal
}

/** What is still in the file, in the order in which it is delivered. */
async function drain(path: string): Promise<string[]> {
  const driver = sqliteQueue(path)
  const queue = createQueue<number>(driver, 'work', { partitions: 4 })
  const rest: string[] = []
  queue.consume(({ key, body }) => rest.push(`${key}/${body}`), { concurrency: 100 })
  while ((await queue.stats()).depth > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  await queue.close()
  await driver.close()
  return rest
}

const words = (log: string, what: string) =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${what} `))
    .map((line) => line.slice(what.length + 1))

it('nothing confirmed is lost and the order of keys is kept over SIGKILLs of the process', {
  timeout: 60_000,
}, async () => {
  const path = join(folder, 'queue.db')
  const log = join(folder, 'log')
  for (let round = 0; round < 3; round++) {
    expect(await work(150 + round * 100, path, log, String(round * 1_000_000))).toBe('SIGKILL')
  }
  const handled = [...words(log, 'done'), ...(await drain(path))]
  const confirmed = words(log, 'confirmed')
  expect(confirmed.length).toBeGreaterThan(300)
  const seen = new Set(handled)
  expect(confirmed.filter((it) => !seen.has(it))).toEqual([])
  // At least once: the first completion of each message counts.
  const last = new Map<string, number>()
  for (const it of seen) {
    const [key, sequence] = it.split('/') as [string, string]
    expect(Number(sequence), it).toBeGreaterThan(last.get(key) ?? -1)
    last.set(key, Number(sequence))
  }
  const sent = new Set(words(log, 'sent'))
  expect([...seen].filter((it) => !sent.has(it))).toEqual([])
})

it('hazard 15: a message that kills the process each time ends in the dead letters, without those beside it', {
  timeout: 60_000,
}, async () => {
  const path = join(folder, 'queue.db')
  const log = join(folder, 'log')
  const poison = 'k3/5'
  for (let crash = 0; crash < 3; crash++) {
    // Later starts publish nothing of this range: the poison is there already.
    expect(await work(5_000, path, log, String(crash * 1_000_000), poison)).toBe('SIGKILL')
  }
  const driver = sqliteQueue(path)
  const queue = createQueue<number>(driver, 'work', { partitions: 4 })
  const seen = new Set<string>()
  queue.consume(({ key, body }) => seen.add(`${key}/${body}`), { redeliveriesMax: 3 })
  while ((await queue.stats()).depth > 0) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(seen.has(poison)).toBe(false)
  const dead = await queue.deadLetters.list()
  expect(dead.map(({ id, reason }) => ({ id, reason }))).toContainEqual({ id: poison, reason: 'redelivered' })
  // Of hundreds that waited beside it, no more than the first of each other partition.
  expect(dead.length).toBeLessThanOrEqual(4)
  await queue.close()
  await driver.close()
})

it('a second process cannot open the file', () => {
  const path = join(folder, 'queue.db')
  const driver = sqliteQueue(path)
  expect(() => sqliteQueue(path)).toThrow('could not be opened: database is locked')
  return driver.close()
})
