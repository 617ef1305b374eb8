import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it } from 'vitest'
import type { Figures } from '../src/report.ts'

const folder = mkdtempSync(join(tmpdir(), 'shop-demo-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function start(...args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const main = new URL('../src/main.ts', import.meta.url).pathname
  const node = ['--conditions=@headrace/source', '--disable-warning=ExperimentalWarning', main]
  const child = spawn(process.execPath, [...node, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  return { child, ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err }))) }
}

const figuresOf = ({ out }: Ended) => JSON.parse(out.trimEnd().split('\n').at(-1)!) as Figures

const all = { soldWithinStock: true, oneRowPerId: true, conserved: true }

describe.concurrent('the demo', { timeout: 60_000 }, () => {
  it('sells, reports and audits', async () => {
    const ended = await start('--requests', '3000', '--callers', '64', '--json').ended
    expect(ended.code).toBe(0)
    const figures = figuresOf(ended)
    expect(figures.invariants).toEqual(all)
    // 3,000 requests: half of them for an article of which there are 600.
    expect(figures.sold + figures.refused).toBe(3_000)
    expect(figures.refused).toBeGreaterThan(700)
    expect(figures.replayed).toBeGreaterThan(20)
    expect(figures.batches).toBeLessThan(300)
    expect(figures.ratio).toBeCloseTo(figures.answeredPerSec / figures.tutorial.answeredPerSec, 1)
    expect(ended.out).toContain('nothing lost, nothing made up')
    expect(ended.err).toMatch(/ of \d+ answered/)
  })

  it('sells the order lines that come with it', async () => {
    const sample = new URL('../data/orders-sample.csv', import.meta.url).pathname
    const figures = figuresOf(await start('--orders', sample, '--json').ended)
    expect(figures.invariants).toEqual(all)
    expect(figures.sold).toBeGreaterThan(figures.refused)
  })

  it('counts the writes that come with it', async () => {
    const sample = new URL('../data/writes-sample.csv', import.meta.url).pathname
    const figures = figuresOf(await start('--writes', sample, '--json').ended)
    expect(figures).toMatchObject({ invariants: all, sold: 2_000, refused: 0 })
  })

  it.each([
    [['--callers', '0'], /--callers/],
    [['--seed', 'x'], /--seed/],
    [['--frobnicate'], /--frobnicate/],
    [['--orders', 'none.csv'], /none\.csv/],
    [['--db', join(folder, 'no', 'such', 'folder.db')], /folder\.db/],
    [['extra'], /arguments/],
  ])('answers bad flags %j with one line and exit code 2', async (args, message) => {
    const { code, out, err } = await start(...args).ended
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err.trimEnd()).toMatch(message)
    expect(err.trimEnd()).not.toContain('\n')
  })

  it('refuses a file that belongs to another sale', async () => {
    const db = join(folder, 'claimed.db')
    expect((await start('--requests', '10', '--db', db).ended).code).toBe(0)
    const { code, err } = await start('--requests', '11', '--db', db).ended
    expect(code).toBe(2)
    expect(err).toContain('belongs to other work: seed 1, 10 requests')
  })

  it('killed in the middle and started again with the same ids, it conserves everything', async () => {
    const db = join(folder, 'killed.db')
    const args = ['--requests', '20000', '--seed', '5', '--db', db, '--json']
    for (const portion of [0.1, 0.4]) {
      const { child, ended } = start(...args)
      while (receiptsIn(db) < 20_000 * portion && child.exitCode === null)
        await new Promise((resolve) => setTimeout(resolve, 5))
      child.kill('SIGKILL')
      const { code, err } = await ended
      expect(code, err).toBeNull()
    }
    expect(receiptsIn(db)).toBeLessThan(20_000)
    const figures = figuresOf(await start(...args).ended)
    expect(figures.invariants).toEqual(all)
    expect(figures.sold + figures.refused).toBe(20_000)
    expect(figures.replayed).toBeGreaterThan(8_000)
    // And once more, when there is nothing left to do.
    const again = figuresOf(await start(...args).ended)
    expect(again.invariants).toEqual(all)
    expect([again.sold, again.refused]).toEqual([figures.sold, figures.refused])
    expect(again.batches).toBe(0)
  })
})

function receiptsIn(path: string): number {
  if (!existsSync(path)) return 0
  using db = new DatabaseSync(path, { readOnly: true, timeout: 10_000 })
  if (!db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'sale_receipts'").get()) return 0
  return (db.prepare('SELECT count(*) AS rows FROM sale_receipts').get() as { rows: number }).rows
}
