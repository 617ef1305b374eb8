import type { NodeRedlock } from '@headrace/lock/redlock'
import type { Redis } from 'ioredis'

interface NodeClient {
  set(key: string, value: string, options: { NX: boolean; PX: number }): Promise<string | null>
  eval(script: string, keys: string[], args: string[]): Promise<number>
}

/** What of node-redlock is used here. Its source breaks the rules that ours is checked with, so it is not imported by type. */
interface Source {
  readonly Redlock: new (clients: readonly NodeClient[], retryCount?: number, retryDelay?: number) => NodeRedlock
  readonly IoredisClient: new (client: Redis) => NodeClient
  readonly RedisjsClient: new (client: unknown) => NodeClient
}

const file = (name: string) => `node-redlock/${name}.ts`

export async function nodeRedlock(): Promise<Source> {
  const [redlock, ioredis, redisjs] = await Promise.all(
    ['redlock', 'IoRedisClient', 'RedisJsClient'].map((name) => import(/* @vite-ignore */ file(name))),
  )
  return { Redlock: redlock.Redlock, IoredisClient: ioredis.IoredisClient, RedisjsClient: redisjs.RedisjsClient }
}
