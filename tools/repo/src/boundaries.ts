import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import ts from 'typescript'
import { type Project, projectsOf, root } from './projects.ts'

const scope = '@headrace/'

/** Which workspace packages the sources of a layer may import. Apps and tools may import everything. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  'layer:base': [],
  'layer:block': ['core'],
  'layer:path': ['core', 'lock', 'queue', 'balancer', 'capacity-math'],
  'layer:app': ['*'],
  'layer:tool': ['*'],
}

// The contracts that a driver, a store, a discovery or a policy implements; a suite knows nothing else of its package.
const contracts = ['driver.ts', 'store.ts', 'discovery.ts', 'policy.ts', 'endpoint.ts']

/** Every import, and every dependency of a manifest, that points against the arrows, as one sentence each. */
export function violationsOf(folder: string = root): string[] {
  return projectsOf(folder).flatMap((project) => [...manifestViolations(project), ...sourceViolations(project)])
}

function manifestViolations({ manifest }: Project): string[] {
  const { allowed, library } = layerOf(manifest)
  if (allowed === undefined) return [`${manifest.name} has no known layer in nx.tags`]
  if (!library) return []
  return Object.keys(manifest.dependencies ?? {})
    .filter((name) => !name.startsWith(scope) || !allowed.includes(name.slice(scope.length)))
    .map((name) => `${manifest.name} must not depend on ${name}`)
}

function sourceViolations({ folder, manifest }: Project): string[] {
  const { layer, allowed = [], library } = layerOf(manifest)
  if (!library) return []
  const installed = { ...manifest.dependencies, ...manifest.peerDependencies }
  const imports = importsOf(folder)
  // What only the suite reaches is the suite; core has no suite but the runner of all of them.
  const entries = Object.values(manifest.exports ?? {}).flatMap((it) => join(Object(it)['@headrace/source'] ?? ''))
  const files = [...imports.keys()]
  const suite = layer === 'layer:base' ? new Set() : reached(imports, files.filter(isSuite))
  const rest = reached(
    imports,
    files.filter((file) => !isSuite(file) && (!suite.has(file) || entries.includes(file))),
  )

  const forbidden = (file: string, specifier: string): string | undefined => {
    const inSuite = suite.has(file) && !rest.has(file)
    if (specifier.startsWith('.')) {
      const target = join(dirname(file), specifier)
      const own = suite.has(target) && !rest.has(target)
      return inSuite && !own && !contracts.includes(basename(target)) ? 'a suite knows only the contract' : undefined
    }
    if (specifier.startsWith('node:')) {
      if (manifest.name === `${scope}capacity-math`) return 'it imports nothing'
      return inSuite && !specifier.startsWith('node:assert') ? 'a suite must run anywhere' : undefined
    }
    if (specifier.startsWith(scope)) {
      const [name = '', subpath] = specifier.slice(scope.length).split('/')
      if (!allowed.includes(name)) return 'against the arrows'
      if (name !== 'core' && subpath !== undefined) return 'drivers are chosen by the application'
      return inSuite && name !== 'core' ? 'a suite knows only the contract' : undefined
    }
    if (inSuite) return 'a suite must run anywhere'
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    return name in installed ? undefined : 'it is neither a dependency nor a peer'
  }
  return [...imports].flatMap(([file, specifiers]) =>
    specifiers.flatMap((specifier) => {
      const reason = forbidden(file, specifier)
      return reason === undefined ? [] : [`${manifest.name} ${file} must not import ${specifier}: ${reason}`]
    }),
  )
}

const isSuite = (file: string) => /(^|\/)conformance(\/|\.ts$)/.test(file)

/** The specifiers in each source file of a project, those of types and of re-exports included. */
function importsOf(folder: string): Map<string, string[]> {
  const files = globSync('src/**/*.ts', { cwd: folder }).sort()
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(folder, file), 'utf8'))
      return [file, [...new Set(importedFiles.map(({ fileName }) => fileName))]]
    }),
  )
}

/** `from`, and every file that it imports directly or through others, except contracts: those belong to both sides. */
function reached(imports: ReadonlyMap<string, readonly string[]>, from: readonly string[]): Set<string> {
  const files = new Set<string>()
  const visit = (file: string) => {
    const specifiers = imports.get(file)
    if (specifiers === undefined || files.has(file) || contracts.includes(basename(file))) return
    files.add(file)
    for (const specifier of specifiers) if (specifier.startsWith('.')) visit(join(dirname(file), specifier))
  }
  for (const file of from) visit(file)
  return files
}

function layerOf(manifest: Project['manifest']) {
  const layer = manifest.nx?.tags?.find((tag) => tag in arrows) ?? ''
  return { layer, allowed: arrows[layer], library: layer !== 'layer:app' && layer !== 'layer:tool' }
}
