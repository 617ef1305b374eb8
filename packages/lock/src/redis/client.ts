import type { Script } from './scripts.ts'

type Argument = string | number

/** The part of an ioredis `Redis` or `Cluster` that is used. */
export interface Ioredis {
  evalsha(sha: string, keys: number, ...rest: Argument[]): Promise<unknown>
  eval(script: string, keys: number, ...rest: Argument[]): Promise<unknown>
  duplicate(): unknown
  /** For `replicas` only. */
  wait?(replicas: number, timeoutMs: number): Promise<number>
  readonly isCluster?: boolean
}

/** The part of a client, cluster or sentinel of node-redis (npm `redis`) that is used. */
export interface NodeRedis {
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  duplicate(): unknown
  /** For `replicas` only. */
  wait?(replicas: number, timeoutMs: number): Promise<number>
}

interface IoredisSubscriber {
  on(event: string, listener: (...values: string[]) => void): unknown
  subscribe(channel: string): Promise<unknown>
  disconnect(): void
}

interface NodeRedisSubscriber {
  on(event: string, listener: () => void): unknown
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  destroy(): void
}

/** What the driver needs of Redis, whichever client speaks to it. */
export interface RedisPort {
  readonly cluster: boolean
  run(script: Script, keys: string[], args: Argument[]): Promise<unknown>
  /** How many replicas have what was run before, after `timeoutMs` or as soon as `min` of them do. */
  readonly wait: ((min: number, timeoutMs: number) => Promise<number>) | undefined
  /** Hears `channel` on a connection of its own. `restored` is called when it had been down and hears again. */
  listen(channel: string, heard: (message: string) => void, restored: () => void): Promise<() => void>
}

export function redisPort(client: Ioredis | NodeRedis): RedisPort {
  if (typeof client !== 'object' || client === null)
    throw new TypeError('client must be a client of ioredis or node-redis')
  if ('evalSha' in client) return nodeRedisPort(client)
  if ('evalsha' in client) return ioredisPort(client)
  throw new TypeError('client must be a client of ioredis or node-redis')
}

// The clients' own helpers for scripts are not used: under ioredis' auto-pipelining theirs lets NOSCRIPT through.
const unknownScript = (error: unknown) => error instanceof Error && error.message.startsWith('NOSCRIPT')

function ioredisPort(client: Ioredis): RedisPort {
  return {
    cluster: client.isCluster === true,
    wait: client.wait?.bind(client),
    run: ({ sha, text }, keys, args) =>
      client.evalsha(sha, keys.length, ...keys, ...args).catch((error: unknown) => {
        if (!unknownScript(error)) throw error
        return client.eval(text, keys.length, ...keys, ...args)
      }),
    async listen(channel, heard, restored) {
      const own = client.duplicate() as IoredisSubscriber
      // The client reports the same trouble on its own connection; here it only must not be an unhandled event.
      own.on('error', () => {})
      own.on('message', (_, message) => heard(message!))
      try {
        await own.subscribe(channel)
      } catch (error) {
        own.disconnect()
        throw error
      }
      own.on('ready', () => {
        // It subscribes again by itself, but only the answer to this one says that it has.
        own.subscribe(channel).then(restored, () => {})
      })
      return () => own.disconnect()
    },
  }
}

function nodeRedisPort(client: NodeRedis): RedisPort {
  return {
    cluster: 'masters' in client,
    wait: client.wait?.bind(client),
    async run({ sha, text }, keys, args) {
      const options = { keys, arguments: args.map(String) }
      try {
        return await client.evalSha(sha, options)
      } catch (error) {
        if (!unknownScript(error)) throw error
        return await client.eval(text, options)
      }
    },
    async listen(channel, heard, restored) {
      const own = client.duplicate() as NodeRedisSubscriber
      own.on('error', () => {})
      try {
        await own.connect()
        await own.subscribe(channel, heard)
      } catch (error) {
        own.destroy()
        throw error
      }
      own.on('ready', () => {
        own.subscribe(channel, heard).then(restored, () => {})
      })
      return () => own.destroy()
    },
  }
}
