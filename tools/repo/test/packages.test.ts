import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkPackages, type PackageReport } from '../src/packages.ts'
import type { Manifest, Project } from '../src/projects.ts'

let folder: string
const reports = new Map<string, PackageReport>()

/** A built package: `dist/NAME.js` and its types for each subpath, and a README unless there is none. */
function built(
  name: string,
  subpaths: Record<string, string>,
  more: Partial<Manifest> & { readme?: false } = {},
): Project {
  const { readme, ...fields } = more
  const exports: Record<string, unknown> = { './package.json': './package.json' }
  const files: Record<string, string> = readme === false ? {} : { 'README.md': `# ${name}\n` }
  for (const [subpath, code] of Object.entries(subpaths)) {
    const file = subpath === '.' ? 'index' : subpath.slice(2)
    exports[subpath] = { types: `./dist/${file}.d.ts`, default: `./dist/${file}.js` }
    files[`dist/${file}.js`] = code
    files[`dist/${file}.d.ts`] = 'export declare const a: number\n'
  }
  const base = { name: `@headrace/${name}`, version: '1.0.0', license: 'MIT', type: 'module', files: ['dist'], exports }
  const manifest = { ...base, sideEffects: false, repository: undefined, ...fields }
  const path = join(folder, name)
  files['package.json'] = JSON.stringify(manifest)
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true })
    writeFileSync(join(path, file), content)
  }
  return { folder: path, manifest }
}

// Packing and installing takes seconds, so all packages of this file share one run.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-built-'))
  const peers = { peerDependencies: { client: '*' }, peerDependenciesMeta: { client: { optional: true } } }
  const good = built(
    'good',
    { '.': 'export const a = 1\n', './driver': "import client from 'client'\nexport const a = client\n" },
    peers,
  )
  const client = join(good.folder, 'node_modules', 'client')
  mkdirSync(client, { recursive: true })
  writeFileSync(join(client, 'package.json'), '{ "name": "client", "type": "module", "exports": "./index.js" }')
  writeFileSync(join(client, 'index.js'), 'export default 2\n')
  const user = built(
    'user',
    { '.': "export { a } from '@headrace/good'\n" },
    { dependencies: { '@headrace/good': '^1.0.0' } },
  )
  const eager = built('eager', { '.': "await import('client').catch(() => {})\nexport const a = 1\n" }, peers)
  const undeclared = built('undeclared', { '.': 'export const a = 1\n', './more': "export * from 'client'\n" })
  const broken = built(
    'broken',
    { '.': 'throw new Error("at once")\n', './empty': 'globalThis.a = 1\n' },
    { readme: false },
  )
  const untyped = built('untyped', { '.': 'export const a = 1\n' })
  rmSync(join(untyped.folder, 'dist', 'index.d.ts'))
  for (const report of await checkPackages([good, user, eager, undeclared, broken, untyped])) {
    reports.set(report.name.replace('@headrace/', ''), report)
  }
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true }))

const problems = (name: string) => reports.get(name)!.problems

it('a package whose driver needs its client, and one that uses the package, have no problems and a size', () => {
  expect(problems('good')).toEqual([])
  expect(problems('user')).toEqual([])
  expect(Object.keys(reports.get('good')!.gzipBytes)).toEqual(['.', './driver'])
  expect(reports.get('user')!.gzipBytes['.']).toBeGreaterThan(10)
})

it('a root that loads a client is found, also where it goes on without it', () => {
  expect(problems('eager')).toEqual(['import @headrace/eager loads client'])
})

it('a subpath that loads what is no peer is found', () => {
  expect(problems('undeclared')).toContain('import @headrace/undeclared/more loads client, which is no peer')
})

it('a module that throws, one that exports nothing, and a missing README are found', () => {
  expect(problems('broken')).toEqual([
    'import @headrace/broken: at once',
    'import @headrace/broken without peers: at once',
    'import @headrace/broken/empty: it exports nothing',
    'the tarball has no README.md',
  ])
})

it('types that are named and not packed are found', () => {
  expect(problems('untyped')[0]).toMatch(/^publint: .*types/)
})
