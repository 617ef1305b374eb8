import { expect, it } from 'vitest'
import { bringServers } from '../src/servers.ts'

const starting = (logs: Record<string, string>, stopped: string[] = []) => {
  return async (name: string) => {
    if (!(name in logs)) throw new Error(`${name} is not installed`)
    return { url: `${name}://here`, log: () => logs[name]!, stop: async () => void stopped.push(name) }
  }
}

it('a server is started, named in the environment, and both end together', async () => {
  const stopped: string[] = []
  const env: NodeJS.ProcessEnv = {}
  {
    await using servers = await bringServers(['redis'], starting({ redis: '' }, stopped), env)
    expect(servers.url('redis')).toBe('redis://here')
    expect(env['REDIS_URL']).toBe('redis://here')
    expect(() => servers.url('consul')).toThrow('servers of the bench must name "consul"')
  }
  expect(stopped).toEqual(['redis'])
  expect(env).toEqual({})
})

it('a server of the environment is taken, and neither started nor stopped', async () => {
  const env = { AMQP_URL: 'amqp://there' }
  {
    await using servers = await bringServers(['rabbitmq'], starting({}), env)
    expect(servers.url('rabbitmq')).toBe('amqp://there')
    expect(servers.versions).toEqual({ rabbitmq: 'from the environment' })
  }
  expect(env).toEqual({ AMQP_URL: 'amqp://there' })
})

it('when one cannot be started, those before it are stopped', async () => {
  const stopped: string[] = []
  const env: NodeJS.ProcessEnv = {}
  const start = starting({ redis: '' }, stopped)
  await expect(bringServers(['redis', 'consul'], start, env)).rejects.toThrow('consul is not installed')
  expect(stopped).toEqual(['redis'])
  expect(env).toEqual({})
})

it('versions are read from what the servers log when they start', async () => {
  const logs = {
    redis: '1:C # Redis version=7.0.15, bits=64, commit=00000000',
    rabbitmq: ' Starting RabbitMQ 3.10.8 on Erlang 25.2.3 [jit]',
    consul: "       Version: '1.8.7+dfsg1'\n       Node name: 'a'",
    postgres: 'LOG:  starting PostgreSQL 15.8 (Debian 15.8-0) on x86_64',
  }
  await using servers = await bringServers(['redis', 'rabbitmq', 'consul', 'postgres'], starting(logs), {})
  expect(servers.versions).toEqual({ redis: '7.0.15', rabbitmq: '3.10.8', consul: '1.8.7+dfsg1', postgres: '15.8' })
})
