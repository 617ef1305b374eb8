import type { ServerName } from './bench.ts'

/** What the harness needs of a server of `@headrace/stack`. */
export interface RunningServer {
  readonly url: string
  log(): string
  stop(): Promise<void>
}

export interface Servers extends AsyncDisposable {
  url(server: ServerName): string
  /** What each server says of itself in its log; for one of the environment, that it comes from there. */
  readonly versions: Readonly<Record<string, string>>
}

const variables = {
  redis: 'REDIS_URL',
  rabbitmq: 'AMQP_URL',
  consul: 'CONSUL_HTTP_ADDR',
  postgres: 'DATABASE_URL',
} satisfies Record<ServerName, string>

/**
 * Starts what `env` does not name already, and names it there, where `serverUrl` of `@headrace/stack` finds it.
 * When one cannot be started, those that run are stopped.
 */
export async function bringServers(
  names: readonly ServerName[],
  start: (name: ServerName) => Promise<RunningServer>,
  env: NodeJS.ProcessEnv,
): Promise<Servers> {
  await using started = new AsyncDisposableStack()
  const urls = new Map<ServerName, string>()
  const versions: Record<string, string> = {}
  for (const name of names) {
    const given = env[variables[name]]
    if (given) {
      urls.set(name, given)
      versions[name] = 'from the environment'
      continue
    }
    const server = await start(name)
    started.defer(() => server.stop())
    started.defer(() => {
      delete env[variables[name]]
    })
    env[variables[name]] = server.url
    urls.set(name, server.url)
    versions[name] = /(?:version|RabbitMQ|PostgreSQL)[=: ']+(\d[\w.+-]*)/i.exec(server.log())?.[1] ?? 'unknown'
  }
  const running = started.move()
  return {
    versions,
    url(server) {
      const url = urls.get(server)
      if (url === undefined) throw new RangeError(`servers of the bench must name "${server}"`)
      return url
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
