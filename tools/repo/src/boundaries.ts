import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
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
  const forbidden = (file: string, specifier: string): string | undefined => {
    const suite = layer !== 'layer:base' && /(^|\/)conformance(\/|\.ts$)/.test(file)
    if (specifier.startsWith('.')) {
      const own = /(^|\/)conformance\//.test(file) ? specifier.startsWith('./') : specifier.startsWith('./conformance')
      return suite && !own && !contracts.includes(basename(specifier)) ? 'a suite knows only the contract' : undefined
    }
    if (specifier.startsWith('node:')) {
      if (manifest.name === `${scope}capacity-math`) return 'it imports nothing'
      return suite && !specifier.startsWith('node:assert') ? 'a suite must run anywhere' : undefined
    }
    if (specifier.startsWith(scope)) {
      const [name = '', subpath] = specifier.slice(scope.length).split('/')
      if (!allowed.includes(name)) return 'against the arrows'
      if (name !== 'core' && subpath !== undefined) return 'drivers are chosen by the application'
      return suite && name !== 'core' ? 'a suite knows only the contract' : undefined
    }
    if (suite) return 'a suite must run anywhere'
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
    return name in installed ? undefined : 'it is neither a dependency nor a peer'
  }
  return globSync('src/**/*.ts', { cwd: folder }).flatMap((path) =>
    ts.preProcessFile(readFileSync(join(folder, path), 'utf8')).importedFiles.flatMap(({ fileName }) => {
      const reason = forbidden(path, fileName)
      return reason === undefined ? [] : [`${manifest.name} ${path} must not import ${fileName}: ${reason}`]
    }),
  )
}

function layerOf(manifest: Project['manifest']) {
  const layer = manifest.nx?.tags?.find((tag) => tag in arrows) ?? ''
  return { layer, allowed: arrows[layer], library: layer !== 'layer:app' && layer !== 'layer:tool' }
}
