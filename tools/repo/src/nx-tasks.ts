import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Counts, one, testCounts } from './counts.ts'
import { type Project, root } from './projects.ts'

export const nx: string = join(root, 'node_modules', 'nx', 'dist', 'bin', 'nx.js')

/** Where nx keeps its cache and, in `run.json`, the exit codes of its last run. */
const cache = join(root, '.nx', 'cache')
const lastRun = join(cache, 'run.json')

/** The environment that makes nx write where this module reads. */
export const nxEnv: Readonly<Record<string, string>> = {
  NX_DAEMON: 'false',
  NX_TUI: 'false',
  NX_CACHE_DIRECTORY: cache,
}

const reportOf = (project: Project, target: string) => join(project.folder, '.results', `${target}.json`)

/** Removes what an earlier run left, so that a task that does not run has no result. */
export function forgetResults(projects: readonly Project[], targets: readonly string[]): void {
  rmSync(lastRun, { force: true })
  for (const project of projects) for (const target of targets) rmSync(reportOf(project, target), { force: true })
}

/** The outcome of a target of every project that has it, after nx has run; one that was not run has failed. */
export function outcomesOf(projects: readonly Project[], target: string, run: string = lastRun): Map<string, Counts> {
  const tasks = existsSync(run) ? (JSON.parse(readFileSync(run, 'utf8')) as Run).tasks : []
  const succeeded = new Set(tasks.filter(({ status }) => status === 0).map(({ taskId }) => taskId))
  const outcomes = new Map<string, Counts>()
  for (const project of projects) {
    const { name, scripts = {} } = project.manifest
    if (scripts[target] === undefined) continue
    const ok = succeeded.has(`${name}:${target}`)
    const report = reportOf(project, target)
    outcomes.set(
      name,
      target.startsWith('test')
        ? testCounts(existsSync(report) ? readFileSync(report, 'utf8') : undefined, ok)
        : one(ok),
    )
  }
  return outcomes
}

interface Run {
  readonly tasks: readonly { readonly taskId: string; readonly status: number }[]
}
