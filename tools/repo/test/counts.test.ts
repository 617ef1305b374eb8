import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { one, sentence, sum, testCounts } from '../src/counts.ts'

vi.setConfig({ testTimeout: 60_000 })

let folder: string
beforeEach(() => {
  // Inside the project: vitest itself must be found from there.
  const results = fileURLToPath(new URL('../.results/', import.meta.url))
  mkdirSync(results, { recursive: true })
  folder = mkdtempSync(join(results, 'vitest-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Counts a real run of vitest over one test file. */
function counted(code: string) {
  writeFileSync(join(folder, 'some.test.js'), `import { beforeAll, describe, it, test } from 'vitest'\n${code}`)
  writeFileSync(join(folder, 'vitest.config.js'), `export default { test: { include: ['**/*.test.js'] } }`)
  const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))
  const args = [vitest, 'run', '--root', folder, '--reporter=json', '--outputFile=report.json']
  let ok = true
  try {
    execFileSync(process.execPath, args, { cwd: folder, stdio: 'pipe' })
  } catch {
    ok = false
  }
  return { ok, ...testCounts(readFileSync(join(folder, 'report.json'), 'utf8'), ok) }
}

it('tests are counted as passed, failed and skipped', () => {
  const code = `it('a', () => {}); it('b', () => {}); it('c', () => { throw 1 }); it.skip('d', () => {}); it.todo('e')`
  expect(counted(code)).toEqual({ ok: false, passed: 2, failed: 1, skipped: 2 })
})

it('a file that does not load counts as a failure', () => {
  expect(counted(`it('a', () => {}); throw new Error('x')`)).toEqual({ ok: false, passed: 0, failed: 1, skipped: 0 })
})

it('a set-up that fails counts as a failure, beside the tests that did not run', () => {
  const code = `beforeAll(() => { throw 1 }); it('a', () => {}); it('b', () => {})`
  expect(counted(code)).toMatchObject({ ok: false, passed: 0, failed: 1 })
})

it('a run that fails outside of its tests counts as a failure', () => {
  const code = `it('a', () => { Promise.reject(new Error('late')) })`
  expect(counted(code)).toEqual({ ok: false, passed: 1, failed: 1, skipped: 0 })
})

it('a run that leaves no report counts as one failure, whatever its exit code', () => {
  expect(testCounts(undefined, false)).toEqual(one(false))
  expect(testCounts(undefined, true)).toEqual(one(false))
})

it('the sentence names what was skipped only where something was', () => {
  expect(sentence(sum([one(true), one(false), one(true)]))).toBe('2 passed, 1 failed')
  expect(sentence(sum([one(true), { passed: 3, failed: 0, skipped: 2 }]))).toBe('4 passed, 0 failed, 2 skipped')
})
