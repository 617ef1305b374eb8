import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const child = fileURLToPath(new URL('child/outbox-worker.ts', import.meta.url))
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-outbox-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Runs a worker until it ends by itself, or for `killMs` from when it says that it is ready. */
async function work(mode: 'work' | 'drain', killMs?: number): Promise<readonly [number | null, NodeJS.Signals | null]> {
  const worker = spawn(process.execPath, ['--conditions=@headrace/source', child, folder, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (killMs !== undefined) worker.stdout.once('data', () => setTimeout(() => worker.kill('SIGKILL'), killMs))
  return (await once(worker, 'exit')) as [number | null, NodeJS.Signals | null]
}

it('hazards 11 and 33: what was sold is booked once and in order per key, over SIGKILLs of seller, relay and bookkeeper', async () => {
  for (const killMs of [100, 150, 230]) expect(await work('work', killMs)).toEqual([null, 'SIGKILL'])
  expect(await work('drain')).toEqual([0, null])
  using db = new DatabaseSync(join(folder, 'app.db'))
  const sales = db.prepare('SELECT sale FROM sales WHERE key = ? ORDER BY sale')
  const bookings = db.prepare('SELECT sale FROM bookings WHERE key = ? ORDER BY booking')
  for (const key of 'abcde') {
    const sold = sales.all(key).map(({ sale }) => sale)
    expect(sold.length).toBeGreaterThan(10)
    expect(bookings.all(key).map(({ sale }) => sale)).toEqual(sold)
  }
  expect(db.prepare('SELECT * FROM headrace_outbox').all()).toEqual([])
})
