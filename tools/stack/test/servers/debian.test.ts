import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { unpackInto } from '../../src/debian.ts'

let cache: string

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'headrace-stack-test-'))
  vi.spyOn(console, 'error').mockReturnValue()
})

afterEach(() => {
  vi.restoreAllMocks()
  rmSync(cache, { recursive: true })
})

test('says what it fetches, and fetches it once', { timeout: 120_000 }, async () => {
  const root = await unpackInto(cache, 'redis')
  expect(existsSync(join(root, 'usr/bin/redis-server'))).toBe(true)
  expect(vi.mocked(console.error).mock.calls.at(-1)?.[0]).toMatch(/fetching Debian packages redis-server.* for redis/)
  vi.mocked(console.error).mockClear()
  expect(await unpackInto(cache, 'redis')).toBe(root)
  expect(console.error).not.toHaveBeenCalled()
})

test('several starts at a time end with one whole folder', { timeout: 120_000 }, async () => {
  const [one, other] = await Promise.all([unpackInto(cache, 'redis'), unpackInto(cache, 'redis')])
  expect(other).toBe(one)
  expect(existsSync(join(one, 'usr/bin/redis-server'))).toBe(true)
  expect(readdirSync(join(one, '..'))).toEqual(['redis'])
})

test('what an interrupted unpacking has left is not taken for whole, and is removed in time', {
  timeout: 120_000,
}, async () => {
  const root = await unpackInto(cache, 'redis')
  const home = join(root, '..')
  const [old, young] = ['unpack-old', 'unpack-young'].map((name) => join(home, name))
  for (const folder of [old!, young!]) {
    mkdirSync(join(folder, 'root/usr/bin'), { recursive: true })
    writeFileSync(join(folder, 'root/usr/bin/redis-server'), 'half')
  }
  utimesSync(old!, 0, 0)
  rmSync(root, { recursive: true })
  await unpackInto(cache, 'redis')
  expect(readdirSync(home).sort()).toEqual(['redis', 'unpack-young'])
})
