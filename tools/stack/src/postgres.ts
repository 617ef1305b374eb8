import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { answers } from './probe.ts'
import { findProgram } from './program.ts'
import { type Server, startServer } from './server.ts'

const run = promisify(execFile)
const initLimitMs = 120_000
const protocol3 = 196_608
// Of postmaster.pid; it holds the key and the id of the segment.
const sharedMemoryLine = 6

/**
 * A PostgreSQL of its own with fsync on; user and database are `postgres`, without a password.
 * @param options.args more of postgres's options, such as `['-c', 'synchronous_commit=off']`.
 */
export async function startPostgres(options: { readonly args?: readonly string[] } = {}): Promise<Server> {
  const { args = [] } = options
  const program = await findProgram('postgres', {
    binaries: ['postgres', 'initdb'],
    folders: ['usr/lib/postgresql/*/bin'],
  })
  const user = await unprivileged()
  const cluster = (data: string) => join(data, 'cluster')
  return startServer({
    name: 'postgres',
    portCount: 1,
    readyMs: 60_000,
    user,
    ready: /database system is ready to accept connections/,
    // Without waiting for the clients that are connected.
    quitSignal: 'SIGINT',
    url: ({ ports }) => `postgresql://postgres@127.0.0.1:${ports[0]}/postgres`,
    async prepare({ data }) {
      const how = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
      await run(join(program.folder, 'initdb'), [`--pgdata=${cluster(data)}`, ...how], {
        ...user,
        cwd: data,
        env: { ...program.env, PATH: process.env['PATH'], LC_ALL: 'C' },
        timeout: initLimitMs,
      }).catch((error: Error) => {
        const as = user ? ` as user nobody, who must be able to reach ${program.folder} and ${data}` : ''
        throw new Error(`postgres did not start: initdb failed${as}\n${error.message}`, { cause: error })
      })
    },
    command: ({ data, ports }) => ({
      command: join(program.folder, 'postgres'),
      args: [
        ...['-D', cluster(data), '-p', String(ports[0]), '-c', 'listen_addresses=127.0.0.1'],
        ...['-c', 'unix_socket_directories=', '-c', 'fsync=on', '-c', 'jit=off', '-c', 'max_connections=200', ...args],
      ],
      env: { ...program.env, LC_ALL: 'C' },
      user,
      // Killed at once it would leave a piece of System V shared memory behind.
      endSignal: 'SIGQUIT',
      endMs: 2_000,
    }),
    probe: ({ ports }) => answers(ports[0]!, startupMessage(), (reply) => reply.toString().startsWith('R')),
    async killed({ data }) {
      const lock = await readFile(join(cluster(data), 'postmaster.pid'), 'utf8').catch(() => '')
      const segment = lock.split('\n')[sharedMemoryLine]?.trim().split(/\s+/)[1]
      // The next start would remove these few bytes as well, if there is one; a failure here is worth no failure there.
      if (segment) await run('ipcrm', ['-m', segment]).catch(() => undefined)
    },
  })
}

function startupMessage(): Buffer {
  const parameters = Buffer.from('user\0postgres\0\0')
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + parameters.length, 0)
  head.writeInt32BE(protocol3, 4)
  return Buffer.concat([head, parameters])
}

/** PostgreSQL refuses to run as root. */
async function unprivileged(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'nobody'])).stdout)),
  )
  return { uid: uid!, gid: gid! }
}
