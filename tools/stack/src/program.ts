import { accessSync, constants, globSync, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type ServerName, variables } from './address.ts'
import { type ProgramName, unpacked } from './debian.ts'

/** Where the programs of a server are, and what their environment needs to hold. */
export interface Program {
  readonly folder: string
  /** Where Debian packages were unpacked, if the program comes from there. */
  readonly root: string | undefined
  readonly env: Readonly<Record<string, string>>
}

const composeUrls: Record<ServerName, string> = {
  redis: 'redis://127.0.0.1:6379',
  rabbitmq: 'amqp://guest:guest@127.0.0.1:5672',
  consul: 'http://127.0.0.1:8500',
  postgres: 'postgresql://postgres:postgres@127.0.0.1:5432/postgres',
}

/**
 * Finds a folder that holds all `binaries`: one of `folders` (patterns, relative to the root), on PATH, or in unpacked Debian packages.
 * @throws Error that says how to have the server another way.
 */
export async function findProgram(
  name: ProgramName,
  wanted: { readonly binaries: readonly string[]; readonly folders: readonly string[] },
): Promise<Program> {
  const here = [...wanted.folders.flatMap((pattern) => folders('/', pattern)), ...onPath()]
  const folder = here.find((folder) => holds(folder, wanted.binaries))
  if (folder) return { folder, root: undefined, env: {} }
  try {
    const root = await unpacked(name)
    const found = wanted.folders.flatMap((pattern) => folders(root, pattern))
    const folder = found.find((folder) => holds(folder, wanted.binaries))
    if (!folder) throw new Error(`its packages hold no ${wanted.binaries.join(', ')}`)
    return { folder, root, env: { LD_LIBRARY_PATH: folders(root, '{usr/,}lib/*-linux-gnu*').join(delimiter) } }
  } catch (cause) {
    throw missing(name, wanted.binaries, cause)
  }
}

/** Folders under `root` that match, the newest version first. */
export function folders(root: string, pattern: string): string[] {
  const byVersion = new Intl.Collator('en', { numeric: true })
  return globSync(pattern, { cwd: root })
    .sort((a, b) => byVersion.compare(b, a))
    .map((path) => join(root, path))
}

function onPath(): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
}

function holds(folder: string, binaries: readonly string[]): boolean {
  return binaries.every((binary) => {
    try {
      accessSync(realpathSync(join(folder, binary)), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function missing(name: ProgramName, binaries: readonly string[], cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause)
  const lack = `there is no ${name} to start here: no ${binaries.join(', ')} on PATH, and ${why}`
  return new Error(name === 'nginx' ? lack : `${lack}\n${elsewhere(name)}`, { cause })
}

const elsewhere = (name: ServerName) =>
  `Start it with \`docker compose up -d --wait ${name}\` and set ${variables[name]}=${composeUrls[name]}`
