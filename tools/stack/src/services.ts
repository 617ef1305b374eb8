import { type ServerName, serverNames, serverUrl, variables } from './address.ts'
import { startConsul } from './consul.ts'
import { startPostgres } from './postgres.ts'
import { startRabbitmq } from './rabbitmq.ts'
import { startRedis } from './redis.ts'
import type { Server } from './server.ts'

const quorumSize = 3

/** What can be asked for by name on the command line. */
export const serviceNames: readonly string[] = [...serverNames, 'redis-quorum']

const quorumVariable = 'REDIS_QUORUM_URLS'

const starts: Record<ServerName, () => Promise<Server>> = {
  redis: startRedis,
  rabbitmq: startRabbitmq,
  consul: startConsul,
  postgres: startPostgres,
}

export interface Services extends AsyncDisposable {
  /** One variable for each service. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Starts the named services side by side, except those whose address is in the environment already.
 * Where one fails, the others are stopped before the error is thrown.
 */
export async function startServices(names: readonly string[], say: (line: string) => void): Promise<Services> {
  for (const name of names) {
    if (!serviceNames.includes(name)) throw new Error(`no service "${name}"; known: ${serviceNames.join(', ')}`)
  }
  const settled = await Promise.allSettled([...new Set(names)].map((name) => startService(name, say)))
  const started = settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  const stop = async () => {
    await Promise.all(started.flatMap(({ servers }) => servers.map((server) => server.stop())))
  }
  const failed = settled.find((it) => it.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  return {
    env: Object.fromEntries(started.map(({ variable, url }) => [variable, url])),
    [Symbol.asyncDispose]: stop,
  }
}

interface Started {
  readonly variable: string
  readonly url: string
  readonly servers: readonly Server[]
}

async function startService(name: string, say: (line: string) => void): Promise<Started> {
  const variable = name === 'redis-quorum' ? quorumVariable : variables[name as ServerName]
  const present = process.env[variable]
  if (present) {
    say(`${name}: taken from ${variable}`)
    return { variable, url: name === 'redis-quorum' ? present : serverUrl(name as ServerName), servers: [] }
  }
  const begin = performance.now()
  const servers = await (name === 'redis-quorum' ? startQuorum() : starts[name as ServerName]().then((one) => [one]))
  say(`${name}: started in ${((performance.now() - begin) / 1000).toFixed(1)} s`)
  return { variable, url: servers.map((server) => server.url).join(','), servers }
}

async function startQuorum(): Promise<Server[]> {
  const settled = await Promise.allSettled(Array.from({ length: quorumSize }, () => startRedis()))
  const servers = settled.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
  const failed = settled.find((it) => it.status === 'rejected')
  if (!failed) return servers
  await Promise.all(servers.map((server) => server.stop()))
  throw failed.reason
}
