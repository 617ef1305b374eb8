import { existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Project } from './projects.ts'
import { capture } from './run.ts'

// Notes every specifier that is resolved, also one that is not found and one whose failure is caught.
const probe = `
import { registerHooks } from 'node:module'
const specifiers = new Set()
registerHooks({ resolve(specifier, context, next) { specifiers.add(specifier); return next(specifier, context) } })
const [subject] = process.argv.slice(2)
const result = await import(subject).then((it) => ({ names: Object.keys(it) }), (error) => ({ error: error.message }))
specifiers.delete(subject)
console.log(JSON.stringify({ ...result, specifiers: [...specifiers] }))
process.exit()
`

/** What importing one subpath gave, and everything that was asked for on the way. */
export interface Imported {
  readonly names?: readonly string[]
  readonly error?: string
  readonly specifiers: readonly string[]
}

/** An otherwise empty project in which the packed packages are installed as a user would. */
export interface Consumer {
  readonly folder: string
  /** What the installation said, where it failed. */
  readonly failure: string | undefined
  tryImport(specifier: string): Promise<Imported>
}

/**
 * Installs the tarballs from disk alone. `tarballs` maps the name of each package to its file.
 * With pnpm every dependency on one of them is overridden: pnpm would ask the registry for it.
 */
export async function installed(
  manager: 'npm' | 'pnpm',
  folder: string,
  tarballs: Readonly<Record<string, string>>,
): Promise<Consumer> {
  mkdirSync(folder)
  const files = Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`]))
  const manifest = { name: 'consumer', private: true, type: 'module', dependencies: files }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  // JSON is YAML; the file also keeps pnpm from looking for a workspace further up.
  writeFileSync(join(folder, 'pnpm-workspace.yaml'), JSON.stringify({ packages: ['.'], overrides: files }))
  writeFileSync(join(folder, 'probe.mjs'), probe)
  const args = manager === 'npm' ? ['--no-audit', '--no-fund', '--loglevel=error'] : ['--reporter=append-only']
  const { ok, output } = await capture(manager, ['install', '--offline', '--ignore-scripts', ...args], folder)
  return {
    folder,
    failure: ok ? undefined : output.trim(),
    async tryImport(specifier) {
      const { ok, stdout, output } = await capture(process.execPath, ['probe.mjs', specifier], folder)
      return ok ? (JSON.parse(stdout) as Imported) : { error: output.trim(), specifiers: [] }
    },
  }
}

/** Adds the peers of a package as they are installed in the workspace; one that is not will be missed by its subpath. */
export function addPeers({ folder }: Consumer, project: Project): void {
  for (const peer of Object.keys(project.manifest.peerDependencies ?? {})) {
    const link = join(folder, 'node_modules', peer)
    const peerFolder = join(project.folder, 'node_modules', peer)
    if (existsSync(link) || !existsSync(peerFolder)) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(realpathSync(peerFolder), link)
  }
}
