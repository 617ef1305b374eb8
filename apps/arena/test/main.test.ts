import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Figures } from '../src/report.ts'
import { tempFolder } from './temp-folder.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const nodeFlags = ['--conditions=@headrace/source', '--disable-warning=ExperimentalWarning']
const timeout = 60_000

function arena(flags: readonly string[], tmp?: string) {
  const env = { ...process.env, NO_COLOR: '1', ...(tmp === undefined ? {} : { TMPDIR: tmp }) }
  const child = spawn(process.execPath, [...nodeFlags, main, ...flags], { env })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child, ended, said: () => stderr }
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries === 1_000) throw new Error('it never came to that')
    await sleep(20)
  }
}

describe.concurrent('pnpm arena', () => {
  test.each([
    [['--rooms', '0'], '--rooms'],
    [['--bots', 'many'], '--bots'],
    [['--seconds', '1.5'], '--seconds'],
    [['--tick', '61'], '--tick'],
    [['--seed', '-1'], '--seed'],
    [['--fault', 'fire'], '--fault'],
    [['--sed', '1'], '--sed'],
    [['--db', ''], '--db'],
    [['--db', '/no/such/folder/arena.db'], '/no/such/folder'],
    [['fight'], 'arguments'],
  ])('%j is answered with one line that names it, and exit code 2', { timeout }, async (flags, named) => {
    const { code, stdout, stderr } = await arena(flags).ended
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/^arena: [^\n]+\n$/)
    expect(stderr).toContain(named)
  })

  test('explains its flags', { timeout }, async () => {
    const { code, stdout } = await arena(['--help']).ended
    expect(code).toBe(0)
    for (const flag of ['--rooms', '--bots', '--seconds', '--tick', '--seed', '--fault', '--db', '--json']) {
      expect(stdout).toContain(flag)
    }
  })

  test('prints the report, and with --json one object on the last line', { timeout }, async () => {
    using folder = tempFolder()
    const flags = ['--seconds', '1', '--bots', '20', '--rooms', '3', '--fault', 'none', '--json']
    const { code, stdout, stderr } = await arena(flags, folder.path).ended
    expect(code).toBe(0)
    expect(stderr).toBe('20 bots in 3 rooms on 3 servers, 20 ticks per second, for 1 s\n')
    expect(stdout).toContain('commands per second')
    expect(stdout).not.toContain('BROKEN')
    const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Figures
    expect(figures.commands).toBeGreaterThan(0)
    expect(figures.p50Ms).toBeLessThanOrEqual(figures.p99Ms)
    expect(figures.p99Ms).toBeLessThanOrEqual(figures.maxMs)
    expect(Object.values(figures.invariants)).toEqual(Array(6).fill(true))
    expect(readdirSync(folder.path)).toEqual([])
  })

  test('keeps the database of --db, and does not fight twice in one', { timeout }, async () => {
    using folder = tempFolder()
    const db = folder.file('kept.db')
    const flags = ['--seconds', '1', '--bots', '5', '--rooms', '1', '--fault', 'none', '--db', db]
    expect((await arena(flags).ended).code).toBe(0)
    expect(existsSync(db)).toBe(true)
    const again = await arena(flags).ended
    expect(again.code).toBe(2)
    expect(again.stderr).toBe(`arena: --db: ${db} exists already\n`)
  })

  test('ends with exit code 1 when an invariant is broken', { timeout }, async () => {
    using folder = tempFolder()
    const path = folder.file('harmed.db')
    const { ended, said } = arena(['--seconds', '3', '--bots', '5', '--rooms', '1', '--fault', 'none', '--db', path])
    await until(() => said().includes('5 bots'))
    const harmed = () => {
      using db = new DatabaseSync(path, { timeout: 1_000 })
      try {
        return db.prepare('DELETE FROM "arena-shard-1_receipts" WHERE sequence = 3').run().changes === 1
      } catch {
        return false
      }
    }
    await until(() => existsSync(path) && harmed())
    const { code, stdout } = await ended
    expect(code).toBe(1)
    expect(stdout).toContain('BROKEN')
  })

  test('reports what happened so far when it is interrupted, and leaves no files behind', { timeout }, async () => {
    using folder = tempFolder()
    const { child, ended, said } = arena(['--seconds', '100', '--bots', '5', '--rooms', '1'], folder.path)
    await until(() => said().includes('5 bots'))
    await sleep(500)
    child.kill('SIGINT')
    const { code, stdout } = await ended
    expect(code).toBe(0)
    expect(stdout).toContain('commands per second')
    expect(readdirSync(folder.path)).toEqual([])
  })
})
