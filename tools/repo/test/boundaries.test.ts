import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { violationsOf } from '../src/boundaries.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-boundaries-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const layers = { core: 'base', 'capacity-math': 'base', lock: 'block', queue: 'block', writer: 'path', shop: 'app' }

/** The violations in a workspace with one project, one source file, and these imports. */
function violations(name: keyof typeof layers, file: string, imports: string[], manifest: object = {}): string[] {
  const path = join(folder, layers[name] === 'app' ? 'apps' : 'packages', name)
  mkdirSync(dirname(join(path, 'src', file)), { recursive: true })
  const content = { name: `@headrace/${name}`, nx: { tags: [`layer:${layers[name]}`] }, ...manifest }
  writeFileSync(join(path, 'package.json'), JSON.stringify(content))
  writeFileSync(join(path, 'src', file), imports.map((it) => `import ${it}\n`).join(''))
  return violationsOf(folder)
}

it('what the arrows allow is no violation', () => {
  const allowed = [
    "{ a } from '@headrace/core'",
    "type { b } from '@headrace/core/testing'",
    "c from 'node:fs'",
    "'./d.ts'",
  ]
  expect(violations('core', 'index.ts', ["'node:fs'", "'./d.ts'"])).toEqual([])
  expect(violations('lock', 'index.ts', allowed)).toEqual([])
  expect(violations('writer', 'index.ts', [...allowed, "'@headrace/lock'", "'@headrace/capacity-math'"])).toEqual([])
  expect(violations('shop', 'main.ts', ["'@headrace/lock/redis'", "'ioredis'"])).toEqual([])
})

it.each([
  ['core', "'@headrace/lock'", 'against the arrows'],
  ['core', "'pg'", 'it is neither a dependency nor a peer'],
  ['capacity-math', "'@headrace/core'", 'against the arrows'],
  ['capacity-math', "'node:assert'", 'it imports nothing'],
  ['lock', "'@headrace/queue'", 'against the arrows'],
  ['lock', "'@headrace/capacity-math'", 'against the arrows'],
  ['lock', "'@headrace/writer'", 'against the arrows'],
  ['lock', "'@headrace/stack'", 'against the arrows'],
  ['writer', "'@headrace/lock/redis'", 'drivers are chosen by the application'],
  ['writer', "type { RedisClient } from '@headrace/lock/redis'", 'drivers are chosen by the application'],
  ['writer', "'@headrace/repo/readme'", 'against the arrows'],
] as const)('%s must not import %s', (name, statement, reason) => {
  const specifier = /'(.*)'/.exec(statement)![1]
  expect(violations(name, 'deep/er.ts', [statement])).toEqual([
    `@headrace/${name} src/deep/er.ts must not import ${specifier}: ${reason}`,
  ])
})

it('an import() and a re-export count too', () => {
  expect(violations('lock', 'index.ts', ["('@headrace/queue')"])).toHaveLength(1)
  writeFileSync(join(folder, 'packages/lock/src/index.ts'), "export { a } from '@headrace/queue'\n")
  expect(violationsOf(folder)).toHaveLength(1)
})

it('a client of the tests is not one of the sources, unless it is a peer', () => {
  const client = ["type Redis from 'ioredis'"]
  expect(violations('lock', 'redis.ts', client, { devDependencies: { ioredis: '6' } })).toHaveLength(1)
  expect(violations('lock', 'redis.ts', client, { peerDependencies: { ioredis: '6' } })).toEqual([])
})

it('a conformance suite knows its own files, its contract, core and node:assert, and nothing else', () => {
  const known = ["'./driver.ts'", "'@headrace/core/testing'", "'node:assert/strict'", "'./rules/fairness.ts'"]
  violations('lock', 'rules/fairness.ts', ["'../driver.ts'", "'node:assert'"])
  violations('lock', 'driver.ts', ["'./words.ts'"])
  expect(violations('lock', 'conformance.ts', known)).toEqual([])

  const manifest = {
    peerDependencies: { vitest: '5' },
    exports: { './redis': { '@headrace/source': './src/redis.ts' } },
  }
  violations('lock', 'redis.ts', [])
  violations('lock', 'locks.ts', ["'./words.ts'"])
  violations('lock', 'index.ts', ["'./locks.ts'"])
  const reason = (specifier: string, why: string) =>
    `@headrace/lock src/rules/fairness.ts must not import ${specifier}: ${why}`
  const wrong = ["'../redis.ts'", "'../locks.ts'", "'node:fs'", "'vitest'"]
  violations('lock', 'rules/fairness.ts', wrong)
  expect(violations('lock', 'conformance.ts', known, manifest)).toEqual([
    reason('../redis.ts', 'a suite knows only the contract'),
    reason('../locks.ts', 'a suite knows only the contract'),
    reason('node:fs', 'a suite must run anywhere'),
    reason('vitest', 'a suite must run anywhere'),
  ])
})

it('a library has no dependency at run time but those of its arrows, and every project has a layer', () => {
  const depends = (dependencies: object) => violations('lock', 'index.ts', [], { dependencies })
  expect(depends({ '@headrace/core': 'workspace:^' })).toEqual([])
  expect(depends({ ioredis: '6' })).toEqual(['@headrace/lock must not depend on ioredis'])
  expect(depends({ '@headrace/queue': 'workspace:^' })).toEqual(['@headrace/lock must not depend on @headrace/queue'])
  expect(violations('lock', 'index.ts', [], { nx: {} })).toEqual(['@headrace/lock has no known layer in nx.tags'])
})
