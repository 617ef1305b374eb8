import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findProgram, folders } from '../src/program.ts'

let scratch: string
const platform = process.platform

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'headrace-stack-test-'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  Object.defineProperty(process, 'platform', { value: platform })
  rmSync(scratch, { recursive: true })
})

function binary(folder: string, name: string) {
  mkdirSync(join(scratch, folder), { recursive: true })
  writeFileSync(join(scratch, folder, name), '')
  chmodSync(join(scratch, folder, name), 0o755)
}

test('a folder on PATH counts only if it holds all the binaries', async () => {
  binary('one', 'headrace-a')
  binary('two', 'headrace-a')
  binary('two', 'headrace-b')
  vi.stubEnv('PATH', `${scratch}/one:${scratch}/two`)
  const program = await findProgram('postgres', { binaries: ['headrace-a', 'headrace-b'], folders: [] })
  expect(program).toEqual({ folder: `${scratch}/two`, root: undefined, env: {} })
})

test('the folders of an installed package come before PATH, the newest version first', async () => {
  for (const folder of ['lib/9/bin', 'lib/15/bin', 'path']) binary(folder, 'headrace-a')
  vi.stubEnv('PATH', `${scratch}/path`)
  const installed = `${scratch.slice(1)}/lib/*/bin`
  const program = await findProgram('postgres', { binaries: ['headrace-a'], folders: [installed] })
  expect(program.folder).toBe(`${scratch}/lib/15/bin`)
})

test('versions are compared as numbers', () => {
  for (const version of ['9', '15', '100']) mkdirSync(join(scratch, 'v', version), { recursive: true })
  expect(folders(scratch, 'v/*')).toEqual(['100', '15', '9'].map((version) => join(scratch, 'v', version)))
})

test.each([
  ['redis', 'REDIS_URL=redis://127.0.0.1:6379'],
  ['rabbitmq', 'AMQP_URL=amqp://guest:guest@127.0.0.1:5672'],
  ['consul', 'CONSUL_HTTP_ADDR=http://127.0.0.1:8500'],
  ['postgres', 'DATABASE_URL=postgresql://postgres:postgres@127.0.0.1:5432/postgres'],
] as const)('where %s is not to be had, the error says how to start it with compose', async (name, setting) => {
  vi.stubEnv('PATH', '')
  Object.defineProperty(process, 'platform', { value: 'darwin' })
  const error = await findProgram(name, { binaries: ['headrace-none'], folders: [] }).catch((error: Error) => error)
  expect((error as Error).message).toBe(
    `there is no ${name} to start here: no headrace-none on PATH, and no apt-get to fetch it with\n` +
      `Start it with \`docker compose up -d --wait ${name}\` and set ${setting}`,
  )
})
