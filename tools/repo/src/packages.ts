import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { addPeers, type Consumer, installed } from './consumer.ts'
import type { Project } from './projects.ts'
import { capture } from './run.ts'

export interface PackageReport {
  readonly name: string
  /** Empty where the package can be published. */
  readonly problems: readonly string[]
  /** Bytes of each subpath with all it imports except its peers: minified and compressed. */
  readonly gzipBytes: Readonly<Record<string, number>>
}

/** Packs the packages, installs the tarballs with npm and with pnpm, and looks at them as their users will. */
export async function checkPackages(projects: readonly Project[]): Promise<PackageReport[]> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-packages-'))
  try {
    const tarballs: Record<string, string> = {}
    for (const { folder: from, manifest } of projects) {
      const { ok, output } = await capture('pnpm', ['pack', '--pack-destination', folder], from)
      if (!ok) throw new Error(`pnpm pack of ${manifest.name} failed: ${output}`)
      const file = `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`
      tarballs[manifest.name] = join(folder, file)
    }
    const [alone, withPeers] = await Promise.all([
      installed('npm', join(folder, 'npm'), tarballs),
      installed('pnpm', join(folder, 'pnpm'), tarballs),
    ])
    if (withPeers.failure === undefined) for (const project of projects) addPeers(withPeers, project)
    const reports: PackageReport[] = []
    for (const project of projects) {
      reports.push(await checkPackage(project, tarballs[project.manifest.name]!, alone, withPeers))
    }
    return reports
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function checkPackage(
  project: Project,
  tarball: string,
  alone: Consumer,
  withPeers: Consumer,
): Promise<PackageReport> {
  const { name, exports = {} } = project.manifest
  const failures = [alone, withPeers].flatMap(({ failure }) => failure ?? [])
  if (failures.length > 0) return { name, problems: failures, gzipBytes: {} }

  const subpaths = Object.keys(exports).filter((subpath) => subpath !== './package.json')
  const [linted, types, imported] = await Promise.all([
    lint(tarball),
    checkTypes(tarball),
    importAll(project, subpaths, alone, withPeers),
  ])
  const problems = [...linted, ...types, ...imported]
  if (!existsSync(join(alone.folder, 'node_modules', name, 'README.md'))) problems.push('the tarball has no README.md')
  if (problems.length > 0) return { name, problems, gzipBytes: {} }
  const sizes = subpaths.map(async (subpath) => [subpath, await gzipSize(project, subpath, withPeers)] as const)
  return { name, problems, gzipBytes: Object.fromEntries(await Promise.all(sizes)) }
}

async function lint(tarball: string): Promise<string[]> {
  const { buffer } = new Uint8Array(readFileSync(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`)
}

async function checkTypes(tarball: string): Promise<string[]> {
  const attw = fileURLToPath(new URL('../node_modules/.bin/attw', import.meta.url))
  const { ok, output } = await capture(attw, ['--profile', 'esm-only', '--no-color', '--no-emoji', tarball], tmpdir())
  return ok ? [] : [`attw: ${output.trim()}`]
}

/**
 * With its peers every subpath must load. Without them the root must load and ask for no other package at all, and a
 * subpath may fail on nothing but a peer.
 */
async function importAll(
  { manifest }: Project,
  subpaths: readonly string[],
  alone: Consumer,
  withPeers: Consumer,
): Promise<string[]> {
  const problems: string[] = []
  const foreign = (specifier: string) => !/^(node:|file:|\.\.?\/|\/|@headrace\/)/.test(specifier)
  for (const subpath of subpaths) {
    const specifier = join(manifest.name, subpath)
    const { names = [], error } = await withPeers.tryImport(specifier)
    if (error !== undefined) problems.push(`import ${specifier}: ${error}`)
    else if (names.length === 0) problems.push(`import ${specifier}: it exports nothing`)

    const bare = await alone.tryImport(specifier)
    const loaded = bare.specifiers.filter(foreign)
    const peers = Object.keys(manifest.peerDependencies ?? {})
    const undeclared = loaded.filter((it) => !peers.some((peer) => it === peer || it.startsWith(`${peer}/`)))
    if (subpath === '.' && loaded.length > 0) problems.push(`import ${specifier} loads ${loaded.join(', ')}`)
    else if (undeclared.length > 0)
      problems.push(`import ${specifier} loads ${undeclared.join(', ')}, which is no peer`)
    else if (bare.error !== undefined && loaded.length === 0) {
      problems.push(`import ${specifier} without peers: ${bare.error}`)
    }
  }
  return problems
}

async function gzipSize({ manifest }: Project, subpath: string, consumer: Consumer): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '${join(manifest.name, subpath)}'`, resolveDir: consumer.folder },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'node',
    external: Object.keys(manifest.peerDependencies ?? {}),
  })
  return gzipSync(outputFiles[0]!.contents).length
}
