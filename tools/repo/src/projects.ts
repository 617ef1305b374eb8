import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../../../', import.meta.url))

/** What the checks need of a package.json. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports?: Readonly<Record<string, unknown>>
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly nx?: { readonly tags?: readonly string[] }
}

export interface Project {
  readonly folder: string
  readonly manifest: Manifest
}

/** Every project of the workspace in `folder`, in the order of their paths. */
export function projectsOf(folder: string = root): Project[] {
  return globSync('{packages,apps,tools}/*/package.json', { cwd: folder })
    .sort()
    .map((path) => ({
      folder: dirname(join(folder, path)),
      manifest: JSON.parse(readFileSync(join(folder, path), 'utf8')) as Manifest,
    }))
}

/** Projects that are published: those in `packages/`. */
export function packagesOf(folder: string = root): Project[] {
  const packages = join(folder, 'packages')
  return projectsOf(folder).filter((project) => dirname(project.folder) === packages)
}
