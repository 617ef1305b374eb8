import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { outcomesOf } from '../src/nx-tasks.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-tasks-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const project = (name: string, scripts: Record<string, string>) => {
  mkdirSync(join(folder, name, '.results'), { recursive: true })
  return { folder: join(folder, name), manifest: { name, version: '1.0.0', scripts } }
}
const ran = (tasks: Record<string, number>) => {
  const run = join(folder, 'run.json')
  const content = { tasks: Object.entries(tasks).map(([taskId, status]) => ({ taskId, status })) }
  writeFileSync(run, JSON.stringify(content))
  return run
}

it('a project counts for the targets that it has, by how its task ended', () => {
  const projects = [project('a', { build: '' }), project('b', { build: '' }), project('c', {})]
  const outcomes = outcomesOf(projects, 'build', ran({ 'a:build': 0, 'b:build': 1, 'c:test': 0 }))
  expect([...outcomes]).toEqual([
    ['a', { passed: 1, failed: 0, skipped: 0 }],
    ['b', { passed: 0, failed: 1, skipped: 0 }],
  ])
})

it('a task that nx did not run, and every task of a run that did not end, has failed', () => {
  const projects = [project('a', { build: '' })]
  const failed = [['a', { passed: 0, failed: 1, skipped: 0 }]]
  expect([...outcomesOf(projects, 'build', ran({}))]).toEqual(failed)
  expect([...outcomesOf(projects, 'build', join(folder, 'no-such-file.json'))]).toEqual(failed)
})

it('tests count one by one, from the report that belongs to the target', () => {
  const tested = project('a', { test: '', 'test-servers': '' })
  const report = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
  writeFileSync(join(tested.folder, '.results', 'test-servers.json'), JSON.stringify(report))
  const run = ran({ 'a:test': 0, 'a:test-servers': 0 })
  expect(outcomesOf([tested], 'test-servers', run).get('a')).toEqual({ passed: 7, failed: 0, skipped: 0 })
  expect(outcomesOf([tested], 'test', run).get('a')).toEqual({ passed: 0, failed: 1, skipped: 0 })
})
