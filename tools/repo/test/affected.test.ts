import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { projectsOf, root } from '../src/projects.ts'

// Each question starts nx once or twice, which takes a second on a machine with nothing else to do.
vi.setConfig({ testTimeout: 60_000 })

// A data folder of its own: these runs of nx can take place inside another one.
const data = mkdtempSync(join(tmpdir(), 'headrace-affected-'))
afterAll(() => rmSync(data, { recursive: true }))

/** The tasks that nx would run after a change of these files, as `lock:test`. */
function tasks(...files: string[]): string[] {
  const env: NodeJS.ProcessEnv = { ...process.env, NX_DAEMON: 'false', NX_WORKSPACE_DATA_DIRECTORY: data }
  for (const name of Object.keys(env)) if (/^NX_(TASK|INVOKED|TERMINAL|FORKED)/.test(name)) delete env[name]
  const nx = join(root, 'node_modules', 'nx', 'dist', 'bin', 'nx.js')
  const args = ['affected', '-t', 'test', 'typecheck', 'test-servers', `--files=${files.join()}`, '--graph=stdout']
  const output = execFileSync(process.execPath, [nx, ...args], { cwd: root, env, encoding: 'utf8' })
  const graph = JSON.parse(output.slice(output.indexOf('{'))) as { tasks: { tasks: Record<string, unknown> } }
  return Object.keys(graph.tasks.tasks).map((id) => id.replace('@headrace/', ''))
}

const projects = (ids: string[]) => [...new Set(ids.map((id) => id.split(':')[0]!))].sort()

it('a change of the lock selects what is built on it, and nothing beside it', () => {
  const selected = projects(tasks('packages/lock/src/index.ts'))
  expect(selected).toEqual(expect.arrayContaining(['lock', 'writer', 'shop', 'arena', 'bench']))
  for (const beside of ['core', 'queue', 'balancer', 'capacity-math', 'stack', 'repo']) {
    expect(selected).not.toContain(beside)
  }
})

it('a change of core selects all but capacity-math and the tools below it', () => {
  const selected = projects(tasks('packages/core/src/clock.ts'))
  expect(selected).toEqual(expect.arrayContaining(['core', 'lock', 'queue', 'balancer', 'writer', 'shop', 'arena']))
  for (const beside of ['capacity-math', 'repo']) expect(selected).not.toContain(beside)
})

it('a change of a test, or of a README that a test runs, selects the checks of that package only', () => {
  expect(projects(tasks('packages/lock/test/lock.test.ts'))).toEqual(['lock'])
  expect(tasks('packages/lock/README.md')).toContain('lock:test')
  expect(projects(tasks('packages/lock/README.md'))).toEqual(['lock'])
})

it('a change of an application selects that application only', () => {
  expect(projects(tasks('apps/shop/src/main.ts'))).toEqual(['shop'])
})

it('a check of the repository is no input of the packages, but the runner of their READMEs is', () => {
  expect(projects(tasks('tools/repo/src/check.ts'))).toEqual(['repo'])
  expect(projects(tasks('tools/repo/src/readme.ts'))).toEqual(expect.arrayContaining(['repo', 'core', 'lock']))
})

it('a change of what all share selects all', () => {
  const all = projectsOf().map(({ manifest }) => manifest.name.replace('@headrace/', ''))
  expect(projects(tasks('vitest.shared.ts'))).toEqual(all.sort())
})
