import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const show = ['--', process.execPath, '-p', '[process.env.REDIS_URL, process.env.CONSUL_HTTP_ADDR].join()']

function stack(args: readonly string[], env: Record<string, string> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !/_URLS?$|_ADDR$/.test(name))
  const child = spawn(process.execPath, ['--conditions=@headrace/source', main, ...args], {
    env: { ...Object.fromEntries(inherited), TMPDIR: scratch, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill()
  })
  const output = { out: '', err: '' }
  child.stdout.on('data', (data) => {
    output.out += data
  })
  child.stderr.on('data', (data) => {
    output.err += data
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }))
  return { child, output, ended }
}

let scratch: string

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'headrace-stack-test-'))
})

afterEach(() => {
  rmSync(scratch, { recursive: true })
})

test('run gives the command the addresses of the servers asked for', async () => {
  const { code, out } = await stack(['run', 'redis', ...show]).ended
  expect(out).toMatch(/^redis:\/\/127\.0\.0\.1:\d+,\n$/)
  expect(code).toBe(0)
})

test('run exits with the code of the command, and stops the servers', async () => {
  const { code } = await stack(['run', 'redis', '--', process.execPath, '-e', 'process.exit(7)']).ended
  expect(code).toBe(7)
  expect(readdirSync(scratch)).toEqual([])
})

test('run exits with 128 and the signal where the command died of one', async () => {
  const { code } = await stack(['run', 'redis', '--', 'sh', '-c', 'kill -KILL $$']).ended
  expect(code).toBe(137)
})

test('an address in the environment is used, and nothing is started for it', async () => {
  const env = { REDIS_URL: 'redis://elsewhere:1', CONSUL_HTTP_ADDR: 'elsewhere:2' }
  const { out, err } = await stack(['run', 'redis', 'consul', ...show], env).ended
  expect(out).toBe('redis://elsewhere:1,http://elsewhere:2\n')
  expect(err).toContain('redis: taken from REDIS_URL')
  expect(err).not.toContain('started')
})

test('a quorum is three servers in one variable', async () => {
  const { out } = await stack(['run', 'redis-quorum', '--', process.execPath, '-p', 'process.env.REDIS_QUORUM_URLS'])
    .ended
  expect(new Set(out.trim().split(',')).size).toBe(3)
})

test('up prints the addresses and stops on Ctrl-C', async () => {
  const { child, output, ended } = stack(['up', 'redis'])
  await vi.waitUntil(() => output.err.includes('Ctrl-C') && output.out.endsWith('\n'), { timeout: 10_000 })
  expect(output.out).toMatch(/^REDIS_URL=redis:\/\/127\.0\.0\.1:\d+\n$/)
  expect(readdirSync(scratch)).toHaveLength(1)
  child.kill('SIGINT')
  expect((await ended).code).toBe(0)
  expect(readdirSync(scratch)).toEqual([])
})

test.each([
  ['a service that does not exist', ['run', 'mysql', '--', 'true'], 'no service "mysql"; known: redis, rabbitmq'],
  ['no command', ['run', 'redis'], 'run needs a command: pnpm stack run [servers...] -- COMMAND'],
] as const)('%s is an error that says what is possible', async (_, args, message) => {
  const { code, err } = await stack(args).ended
  expect(err).toContain(message)
  expect(code).toBe(1)
})

test('a command that cannot be run gives 127', async () => {
  const { code, err } = await stack(['run', 'redis', '--', 'headrace-no-such-command']).ended
  expect(code).toBe(127)
  expect(err).toContain('headrace-no-such-command cannot be run')
})
