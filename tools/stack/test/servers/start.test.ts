import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startConsul, startPostgres, startRedis } from '@headrace/stack'
import pg from 'pg'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { clients } from './fixtures/clients.ts'

let scratch: string

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'headrace-stack-test-'))
  // PostgreSQL runs as another user, where these tests are root's.
  chmodSync(scratch, 0o755)
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(scratch, { recursive: true })
})

test('two stacks at a time do not meet', { timeout: 120_000 }, async () => {
  const stacks = await Promise.all(
    [startRedis, startConsul, startPostgres].map((start) => Promise.all([start(), start()])),
  )
  try {
    for (const [one, other] of stacks) {
      const { write, read } = clients[one!.name as keyof typeof clients]
      await write(one!.url, 'one')
      expect(await read(other!.url)).toBe(undefined)
      expect(await read(one!.url)).toBe('one')
    }
  } finally {
    await Promise.all(stacks.flat().map((server) => server.stop()))
  }
})

test('a server that cannot start says so with its log, and leaves no folder', async () => {
  vi.stubEnv('TMPDIR', scratch)
  await expect(startRedis({ args: ['--no-such-option', 'yes'] })).rejects.toThrow(
    /^redis did not start: it has ended; its log ends with\n[\s\S]*FATAL CONFIG FILE ERROR[\s\S]*no-such-option/,
  )
  await expect(startPostgres({ args: ['-c', 'shared_buffers=nonsense'] })).rejects.toThrow(/nonsense/)
  expect(readdirSync(scratch)).toEqual([])
})

test('postgres commits to the disk: fsync is on', { timeout: 60_000 }, async () => {
  await using server = await startPostgres()
  const client = new pg.Client(server.url)
  await client.connect()
  const { rows } = await client.query('SELECT name, setting FROM pg_settings WHERE name IN ($1, $2) ORDER BY 1', [
    'fsync',
    'synchronous_commit',
  ])
  await client.end()
  expect(rows).toEqual([
    { name: 'fsync', setting: 'on' },
    { name: 'synchronous_commit', setting: 'on' },
  ])
})

test('redis without appendOnly keeps nothing over a kill', async () => {
  const { write, read } = clients.redis
  await using server = await startRedis({ appendOnly: false })
  await write(server.url, 'gone')
  await server.kill()
  await server.restart()
  expect(await read(server.url)).toBe(undefined)
})

test('a killed postgres leaves no shared memory behind', { timeout: 60_000 }, async () => {
  await using server = await startPostgres()
  const { pid } = server
  const made = () =>
    readFileSync('/proc/sysvipc/shm', 'utf8')
      .split('\n')
      .filter((row) => row.trim().split(/\s+/)[4] === String(pid))
  expect(made()).toHaveLength(1)
  await server.kill()
  expect(made()).toEqual([])
})
