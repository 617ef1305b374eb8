import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import type { Command } from './guarded.ts'
import { answers } from './probe.ts'
import { findProgram, folders, type Program } from './program.ts'
import { type Place, type Server, startServer } from './server.ts'

const frameMethod = 1

/**
 * A RabbitMQ node of its own, without plugins, with a port mapper (epmd) and a cookie of its own; user and password are `guest`.
 * It takes 10 to 20 seconds to start.
 * @param options.settings more lines of rabbitmq.conf.
 */
export async function startRabbitmq(options: { readonly settings?: readonly string[] } = {}): Promise<Server> {
  const { settings = [] } = options
  const program = await findProgram('rabbitmq', {
    binaries: ['rabbitmq-server'],
    // Debian's command on PATH is a wrapper that changes the user.
    folders: ['usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin'],
  })
  return startServer({
    name: 'rabbitmq',
    portCount: 3,
    readyMs: 180_000,
    ready: /Server startup complete/,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `amqp://guest:guest@127.0.0.1:${ports[0]}`,
    async prepare({ data, ports }) {
      const lines = [
        `listeners.tcp.local = 127.0.0.1:${ports[0]}`,
        'log.console = true',
        'log.file = false',
        'disk_free_limit.absolute = 50MB',
        // The write-ahead log of quorum queues is allocated in full, by default with 512 MB.
        'raft.wal_max_size_bytes = 32000000',
        ...settings,
      ]
      await writeFile(join(data, 'rabbitmq.conf'), `${lines.join('\n')}\n`)
      await writeFile(join(data, 'enabled_plugins'), '[].\n')
      await writeFile(join(data, '.erlang.cookie'), randomBytes(20).toString('hex'), { mode: 0o400 })
    },
    companion: (place) => epmd(program, place),
    command: (place) => ({
      command: join(program.folder, 'rabbitmq-server'),
      args: [],
      env: { ...erlangEnv(program, place), ...nodeEnv(place) },
    }),
    probe: ({ ports }) => answers(ports[0]!, 'AMQP\0\0\x09\x01', (reply) => reply[0] === frameMethod),
  })
}

/** Erlang would start the port mapper as a daemon, which outlives the node: started here, it is ours to end. */
function epmd(program: Program, place: Place): Command {
  const installed = folders(program.root ?? '/', 'usr/lib/erlang/erts-*/bin/epmd')[0]
  return { command: installed ?? 'epmd', args: [], env: erlangEnv(program, place) }
}

function erlangEnv({ root, env }: Program, { data, ports }: Place): Record<string, string> {
  return {
    ...env,
    HOME: data,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports[2]),
    ...(root && {
      PATH: [join(root, 'usr/lib/erlang/bin'), process.env['PATH']].join(delimiter),
      HEADRACE_ERLANG: join(root, 'usr/lib/erlang'),
    }),
  }
}

function nodeEnv({ data, ports }: Place): Record<string, string> {
  return {
    RABBITMQ_NODENAME: `headrace-${ports[0]}@localhost`,
    RABBITMQ_LOG: 'info,-color',
    RABBITMQ_DIST_PORT: String(ports[1]),
    RABBITMQ_CONFIG_FILE: join(data, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(data, 'no-environment'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(data, 'no-advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(data, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(data, 'mnesia'),
    RABBITMQ_LOG_BASE: join(data, 'log'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(data, 'config'),
    // Only so does the script turn into the server; otherwise it stays in between and hands no signal on.
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
      '-noinput',
      '-start_epmd false',
      '-kernel inet_dist_use_interface {127,0,0,1}',
      // Schedulers that spin while they wait take the processor from everybody else on a small machine.
      '+sbwt none +sbwtdcpu none +sbwtdio none',
    ].join(' '),
  }
}
