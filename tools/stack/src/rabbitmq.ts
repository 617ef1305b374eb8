import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Command } from './guarded.ts'
import { answers } from './probe.ts'
import { findProgram, folders, type Program } from './program.ts'
import { type Place, type Plan, type Server, startServer } from './server.ts'

const run = promisify(execFile)
const frameMethod = 1
const newCookie = () => randomBytes(20).toString('hex')

export interface RabbitmqServer extends Server {
  /** Runs `rabbitmqctl` against the node; it takes some seconds. @returns what it prints. */
  control(...args: readonly string[]): Promise<string>
}

/**
 * A RabbitMQ node of its own, without plugins, with a port mapper (epmd) and a cookie of its own; user and password are `guest`.
 * It takes 10 to 20 seconds to start.
 * @param options.settings more lines of rabbitmq.conf.
 * @param options.advanced the Erlang terms of advanced.config, for what rabbitmq.conf has no line for.
 */
export async function startRabbitmq(
  options: { readonly settings?: readonly string[]; readonly advanced?: string } = {},
): Promise<RabbitmqServer> {
  const program = await findRabbitmq()
  const plan = nodePlan({
    program,
    node: 'headrace@localhost',
    cookie: newCookie(),
    settings: options.settings ?? [],
    advanced: options.advanced,
    epmdPort: ({ ports }) => ports[2]!,
  })
  return await startNode(program, {
    ...plan,
    portCount: 3,
    // Erlang would start the port mapper as a daemon, which outlives the node: started here, it is ours to end.
    companion: (place) => epmdCommand(program, place, place.ports[2]!),
  })
}

async function startNode(program: Program, plan: Plan): Promise<RabbitmqServer> {
  let environment: NodeJS.ProcessEnv = {}
  const server = await startServer({
    ...plan,
    command(place) {
      const command = plan.command(place)
      environment = { ...process.env, ...command.env }
      return command
    },
  })
  const control = async (...args: readonly string[]) => {
    const { stdout } = await run(join(program.folder, 'rabbitmqctl'), args, { env: environment, timeout: 60_000 })
    return stdout
  }
  return Object.assign(server, { control })
}

export interface RabbitmqCluster extends AsyncDisposable {
  readonly nodes: readonly RabbitmqServer[]
  /** Breaks the connections between a node and the others, and has them refuse each other; those of clients stay. */
  partition(node: RabbitmqServer): Promise<void>
  /** Lets a node that was cut off find the others again. */
  heal(node: RabbitmqServer): Promise<void>
}

/**
 * RabbitMQ nodes that form one cluster, for tests that kill, pause, cut off and restart some of them; `stop` ends all.
 * A member cannot be wiped alone: the others remember it.
 */
export async function startRabbitmqCluster(size = 3): Promise<RabbitmqCluster> {
  const program = await findRabbitmq()
  const names = Array.from({ length: size }, (_, index) => `headrace-${index + 1}@localhost`)
  const settings = names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`)
  const cookie = newCookie()
  const epmd = await startEpmd(program)
  const epmdPort = () => Number(new URL(epmd.url).port)
  const settled = await Promise.allSettled(
    names.map((node) => startNode(program, nodePlan({ program, node, cookie, settings, epmdPort }))),
  )
  const nodes = settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()))
    await epmd.stop()
  }
  const failed = settled.find((it) => it.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  return {
    nodes,
    // Nodes that disagree about the cookie do not talk to each other; it is enough if one of the two has another.
    async partition(node) {
      await node.control(
        'eval',
        'Others = nodes(), [erlang:set_cookie(Other, cut_off) || Other <- Others], [erlang:disconnect_node(Other) || Other <- Others].',
      )
    },
    async heal(node) {
      const own = names[nodes.indexOf(node)]
      const others = names.filter((name) => name !== own)
      await node.control(
        'eval',
        `[begin erlang:set_cookie(Other, erlang:get_cookie()), net_kernel:connect_node(Other) end || Other <- ['${others.join("','")}']].`,
      )
    },
    [Symbol.asyncDispose]: stop,
  }
}

function findRabbitmq(): Promise<Program> {
  return findProgram('rabbitmq', {
    binaries: ['rabbitmq-server'],
    // Debian's command on PATH is a wrapper that changes the user.
    folders: ['usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin'],
  })
}

interface Node {
  readonly program: Program
  readonly node: string
  readonly cookie: string
  readonly settings: readonly string[]
  readonly advanced?: string | undefined
  epmdPort(place: Place): number
}

function nodePlan({ program, node, cookie, settings, advanced = '[].', epmdPort }: Node): Plan {
  return {
    name: 'rabbitmq',
    portCount: 2,
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
      await writeFile(join(data, 'advanced.config'), `${advanced}\n`)
      await writeFile(join(data, 'enabled_plugins'), '[].\n')
      await writeFile(join(data, '.erlang.cookie'), cookie, { mode: 0o400 })
    },
    command: (place) => ({
      command: join(program.folder, 'rabbitmq-server'),
      args: [],
      env: { ...erlangEnv(program, place, epmdPort(place)), ...nodeEnv(node, place) },
    }),
    probe: ({ ports }) => answers(ports[0]!, 'AMQP\0\0\x09\x01', (reply) => reply[0] === frameMethod),
  }
}

function startEpmd(program: Program): Promise<Server> {
  return startServer({
    name: 'epmd',
    portCount: 1,
    readyMs: 30_000,
    ready: /epmd running/,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `epmd://127.0.0.1:${ports[0]}`,
    command: (place) => {
      const command = epmdCommand(program, place, place.ports[0]!)
      return { ...command, args: ['-d'] }
    },
    // NAMES_REQ; the reply starts with the port of the mapper.
    probe: ({ ports }) => answers(ports[0]!, '\0\x01n', (reply) => reply.length >= 4),
  })
}

function epmdCommand(program: Program, place: Place, port: number): Command {
  const installed = folders(program.root ?? '/', 'usr/lib/erlang/erts-*/bin/epmd')[0]
  return { command: installed ?? 'epmd', args: [], env: erlangEnv(program, place, port) }
}

function erlangEnv({ root, env }: Program, { data }: Place, epmdPort: number): Record<string, string> {
  return {
    ...env,
    HOME: data,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmdPort),
    ...(root && {
      PATH: [join(root, 'usr/lib/erlang/bin'), process.env['PATH']].join(delimiter),
      HEADRACE_ERLANG: join(root, 'usr/lib/erlang'),
    }),
  }
}

function nodeEnv(node: string, { data, ports }: Place): Record<string, string> {
  return {
    RABBITMQ_NODENAME: node,
    RABBITMQ_LOG: 'info,-color',
    RABBITMQ_DIST_PORT: String(ports[1]),
    RABBITMQ_CONFIG_FILE: join(data, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(data, 'no-environment'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(data, 'advanced.config'),
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
