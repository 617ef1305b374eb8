import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ServerName } from './address.ts'

/** What can be started here: the servers that have an address, and nginx, which only a bench wants. */
export type ProgramName = ServerName | 'nginx'

const run = promisify(execFile)
const defaultCache = fileURLToPath(new URL('../../../.stack/', import.meta.url))
const limitMs = 300_000
const outputMaxBytes = 64 * 1024 * 1024
const abandonedMs = 3_600_000

const erlang =
  'asn1 base crypto eldap ftp inets mnesia os-mon parsetools public-key runtime-tools snmp ssl syntax-tools tftp tools xmerl'

// Erlang in full: RabbitMQ finds its libraries only beside the `erl` that it runs on, not in the system's folders.
const packages: Record<Exclude<ProgramName, 'consul'>, readonly string[]> = {
  redis: ['redis-server'],
  rabbitmq: ['rabbitmq-server', ...erlang.split(' ').map((part) => `erlang-${part}`)],
  postgres: ['postgresql'],
  nginx: ['nginx'],
}

// Wanted by the packages' scripts, which do not run here; LLVM only by PostgreSQL's compiler, which is turned off.
const notNeeded =
  /^(adduser|cron.*|debconf|iproute2|libc6|libc-l10n|libjson-perl|libllvm.*|libperl.*|libpopt0|libwrap0|libz3.*|locales|logrotate|lsb-base|media-types|openssl|perl.*|postgresql-(client-)?common|procps|(lib)?python3.*|sensible-utils|socat|ssl-cert|ucf)$/

// Left Debian after bullseye, but not yet its pool; apt has no list to check it against.
const consul: Record<string, { path: string; sha256: string }> = {
  x64: {
    path: 'pool/main/c/consul/consul_1.8.7+dfsg1-2+b3_amd64.deb',
    sha256: 'e4e888bba104daba1d9161f49bfc52649a7e4efd45b1a7ead5bc54f2cb9c89d9',
  },
  arm64: {
    path: 'pool/main/c/consul/consul_1.8.7+dfsg1-2+b3_arm64.deb',
    sha256: '7318cfa77a7ba6f71dd096e44353279de246ffc6561216ace42353685dcf8255',
  },
}

const pending = new Map<ProgramName, Promise<string>>()

/**
 * The folder with the server's Debian packages and what they need beyond this machine's, fetched on the first call.
 * Nothing is installed: no root, no scripts of packages.
 */
export function unpacked(name: ProgramName): Promise<string> {
  if (!pending.has(name)) {
    const work = unpackInto(defaultCache, name)
    pending.set(name, work)
    work.catch(() => pending.delete(name))
  }
  return pending.get(name)!
}

/** As `unpacked`, with a cache elsewhere. Any number of processes can do this at a time, and be killed at it. */
export async function unpackInto(cache: string, name: ProgramName): Promise<string> {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get')) throw new Error('no apt-get to fetch it with')
  const release = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown'
  const home = join(cache, `${release}-${process.arch}`)
  const folder = join(home, name)
  if (existsSync(folder)) return folder
  await mkdir(home, { recursive: true })
  await removeAbandoned(home)
  // Whatever is under the final name is complete: it gets it by an atomic rename, and the first one wins.
  const work = await mkdtemp(join(home, 'unpack-'))
  try {
    await withLists(work, (apt) => (name === 'consul' ? fetchConsul(apt) : fetchPackages(apt, name, packages[name])))
    const root = join(work, 'root')
    for (const file of await readdir(work)) {
      if (file.endsWith('.deb')) await run('dpkg-deb', ['--extract', join(work, file), root], { timeout: limitMs })
    }
    await relocateErlang(root)
    await rename(root, folder).catch((error: NodeJS.ErrnoException) => {
      if (!existsSync(folder)) throw error
    })
    return folder
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Runs a program of apt in the folder that the packages go to; resolves with what it prints. */
type Apt = (program: string, ...args: string[]) => Promise<string>

/** Does `work` with the machine's package lists; where they are missing or out of date, with new ones of our own. */
async function withLists(folder: string, work: (apt: Apt) => Promise<void>): Promise<void> {
  const apt =
    (options: readonly string[]): Apt =>
    async (program, ...args) => {
      const settings = {
        cwd: folder,
        env: { ...process.env, LC_ALL: 'C' },
        timeout: limitMs,
        maxBuffer: outputMaxBytes,
      }
      return (await run(program, [...options, ...args], settings)).stdout
    }
  try {
    await work(apt([]))
  } catch {
    console.error(
      'headrace stack: the package lists of this machine are missing or out of date; fetching new ones into .stack/',
    )
    for (const part of ['lists/partial', 'cache/archives/partial']) await mkdir(join(folder, part), { recursive: true })
    const withOwn = apt(['-o', `Dir::State::Lists=${folder}/lists`, '-o', `Dir::Cache=${folder}/cache`])
    await withOwn('apt-get', 'update')
    await work(withOwn)
  }
}

async function fetchPackages(apt: Apt, name: ProgramName, names: readonly string[]) {
  const plan = await apt('apt-get', '--simulate', '--no-install-recommends', 'install', ...names)
  const installs = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]!)
  const wanted = [...new Set([...names, ...installs])].filter((name) => !notNeeded.test(name))
  announce(name, `Debian packages ${wanted.join(', ')}`)
  await apt('apt-get', 'download', ...wanted)
}

async function fetchConsul(apt: Apt) {
  const pinned = consul[process.arch]
  if (!pinned)
    throw new Error(`Debian's consul is pinned for ${Object.keys(consul).join(' and ')}, not ${process.arch}`)
  const lines = await apt('apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages')
  const failures: unknown[] = []
  for (const repository of new Set(lines.split('\n').filter((line) => line !== ''))) {
    const address = new URL(pinned.path, repository).href
    announce('consul', address)
    try {
      await apt('/usr/lib/apt/apt-helper', 'download-file', address, 'consul.deb', `SHA256:${pinned.sha256}`)
      return
    } catch (error) {
      failures.push(error)
    }
  }
  throw failures[0] ?? new Error('apt knows no repository')
}

/** Debian's `erl` takes no other home than /usr/lib/erlang; ours is told at its start, so that the repository can move. */
async function relocateErlang(root: string) {
  for (const erl of globSync('usr/lib/erlang/bin/erl', { cwd: root })) {
    const script = await readFile(join(root, erl), 'utf8')
    await writeFile(join(root, erl), script.replaceAll('ROOTDIR=/usr/lib/erlang', 'ROOTDIR="$HEADRACE_ERLANG"'))
  }
}

async function removeAbandoned(home: string) {
  for (const entry of await readdir(home)) {
    const folder = join(home, entry)
    const found = entry.startsWith('unpack-') ? await stat(folder).catch(() => undefined) : undefined
    if (found && Date.now() - found.mtimeMs > abandonedMs) await rm(folder, { recursive: true, force: true })
  }
}

function announce(name: ProgramName, what: string) {
  console.error(`headrace stack: fetching ${what} for ${name} into .stack/ (once)`)
}
