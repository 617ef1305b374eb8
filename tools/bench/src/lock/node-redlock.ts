import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import type { Redis } from 'ioredis'

interface Lock {
  readonly resource: string
  readonly value: string
}

/** What of the npm package node-redlock is used here. */
export interface NodeRedlock {
  acquireLock(resource: string, ttl: number): Promise<Lock | null>
  releaseLock(resource: string, value: string): Promise<unknown>
}

/**
 * The package has only its TypeScript, which Node does not run where packages are installed: the types are taken out
 * here. Its own client for ioredis is the same few lines.
 */
export async function nodeRedlock(clients: readonly Redis[], retryCount: number): Promise<NodeRedlock> {
  const source = readFileSync(new URL(import.meta.resolve('node-redlock/redlock.ts')), 'utf8')
  const code = stripTypeScriptTypes(source.replace(/^import .*interfaces.*$/m, ''))
  const { Redlock } = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  const own = clients.map((client) => ({
    set: (key: string, value: string, { PX }: { PX: number }) => client.set(key, value, 'PX', PX, 'NX'),
    eval: (script: string, keys: string[], args: string[]) => client.eval(script, keys.length, ...keys, ...args),
  }))
  const redlock = new Redlock(own, retryCount)
  redlock.on('error', () => {})
  return redlock
}
