import { join } from 'node:path'
import Table from 'cli-table3'
import { violationsOf } from './boundaries.ts'
import { type Counts, one, sentence, sum } from './counts.ts'
import { forgetResults, nx, nxEnv, outcomesOf } from './nx-tasks.ts'
import { checkPackages } from './packages.ts'
import { packagesOf, projectsOf, root } from './projects.ts'
import { createSteps, heading } from './steps.ts'

// The whole repository: everything that can be wrong is looked at, also after a failure, and counted once.
const whole = 'repository'
const projects = projectsOf()
const steps = createSteps()
const results = new Map<string, Map<string, Counts>>()
const record = (project: string, check: string, counts: Counts) => {
  const row = results.get(project) ?? new Map<string, Counts>()
  results.set(project, row.set(check, counts))
}
const bin = (name: string) => join(root, 'node_modules', '.bin', name)

record(whole, 'lint', one(await steps.run('lint', bin('biome'), ['ci', '--colors=off', '.'])))
record(whole, 'typecheck', one(await steps.run('types of the configuration', bin('tsc'), [])))

heading('boundaries')
const violations = violationsOf()
console.log(violations.length === 0 ? 'boundaries: passed' : violations.join('\n'))
record(whole, 'boundaries', one(violations.length === 0))

await runTargets('types, builds and tests', ['typecheck', 'build', 'test'], [process.execPath, nx])
if (!steps.interrupted) await runPackages()
// All servers live as long as this one command; their tests share them, one project after the other.
const stack = ['--conditions=@headrace/source', join(root, 'tools', 'stack', 'src', 'main.ts'), 'run', '--']
await runTargets('tests against real servers', ['test-servers'], [process.execPath, ...stack, process.execPath, nx])

heading('results')
console.log(tableOf())
const total = sum([...results.values()].flatMap((row) => [...row.values()]))
if (steps.interrupted) console.log('interrupted: what did not run is counted as failed')
if (total.skipped > 0) console.log(`skipped: ${total.skipped}`)
console.log(sentence({ ...total, skipped: 0 }))
process.exit(steps.interrupted ? 130 : total.failed > 0 ? 1 : 0)

async function runTargets(title: string, targets: string[], [command = '', ...args]: string[]): Promise<void> {
  forgetResults(projects, targets)
  const fresh = targets.includes('test-servers') ? ['--parallel=1', '--skip-nx-cache'] : ['--parallel=2']
  await steps.run(title, command, [...args, 'run-many', '-t', ...targets, '--output-style=static', ...fresh], nxEnv)
  for (const target of targets) {
    for (const [project, counts] of outcomesOf(projects, target)) record(project, target, counts)
  }
}

async function runPackages(): Promise<void> {
  heading('packages, as their users get them')
  const packages = packagesOf()
  try {
    for (const { name, problems, gzipBytes } of await checkPackages(packages)) {
      const sizes = Object.entries(gzipBytes).map(([subpath, bytes]) => `${subpath} ${bytes} B`)
      console.log([name, ...(problems.length > 0 ? problems : [sizes.join(', ')])].join('\n  '))
      record(name, 'package', one(problems.length === 0))
    }
  } catch (error) {
    console.error(error)
    for (const { manifest } of packages) record(manifest.name, 'package', one(false))
  }
}

function tableOf(): string {
  const checks = ['lint', 'boundaries', 'typecheck', 'build', 'test', 'test-servers', 'package']
  const table = new Table({ head: ['', ...checks, 'sum'], style: { head: [], border: [], compact: true } })
  for (const [project, row] of results) {
    const cells = checks.map((check) => cell(row.get(check)))
    table.push([project.replace('@headrace/', ''), ...cells, sentence(sum([...row.values()]))])
  }
  return table.toString()
}

function cell(counts: Counts | undefined): string {
  if (counts === undefined) return ''
  const { passed, failed, skipped } = counts
  if (passed + failed + skipped === 1 && skipped === 0) return failed > 0 ? 'FAILED' : 'ok'
  return failed > 0 ? `${failed} FAILED` : `${passed}`
}
