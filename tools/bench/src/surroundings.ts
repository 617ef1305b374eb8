import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'

/** Where the figures were taken. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly os: string
}

export function machine(): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
  }
}

const here = new URL('../', import.meta.url)

/** Node and every package that a bench can import, ours and the peers, as installed. */
export function packageVersions(): Record<string, string> {
  const { dependencies = {}, devDependencies = {} } = readJson(new URL('package.json', here))
  const versions: Record<string, string> = { node: process.versions.node }
  for (const name of Object.keys({ ...dependencies, ...devDependencies }).sort()) {
    const manifest = new URL(`node_modules/${name}/package.json`, here)
    if (existsSync(manifest)) versions[name] = readJson(manifest).version ?? 'unknown'
  }
  return versions
}

/** The commit of the work tree, with `+changes` where it differs from it; `unknown` outside of git. */
export function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: here, encoding: 'utf8', stdio: 'pipe' }).trim()
  try {
    return (
      git('rev-parse', '--short=12', 'HEAD') +
      (git('status', '--porcelain', '--', ':/', ':(top,exclude)bench/results') === '' ? '' : '+changes')
    )
  } catch {
    return 'unknown'
  }
}

interface Manifest {
  version?: string
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

function readJson(url: URL): Manifest {
  return JSON.parse(readFileSync(url, 'utf8')) as Manifest
}
