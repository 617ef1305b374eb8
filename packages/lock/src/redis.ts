import { checkInteger } from '@headrace/core'
import type { AcquireRequest, LockDriver, ReleaseRequest, Standing } from './driver.ts'
import { type Ioredis, type NodeRedis, redisPort } from './redis/client.ts'
import { inParts } from './redis/parts.ts'
import { onReplicas, type ReplicaOptions } from './redis/replicas.ts'
import { lockStateIn, refusal, releasedIn, reserved, serverMsIn, standingsIn } from './redis/replies.ts'
import { acquireScript, evictScript, inspectScript, releaseScript, renewScript, type Script } from './redis/scripts.ts'
import { serverTime } from './redis/server-time.ts'

export type { Ioredis, NodeRedis } from './redis/client.ts'
export type { ReplicaOptions } from './redis/replicas.ts'

export interface RedisLocksOptions {
  /** Begins the name of every key and channel; the same for all who contend. `headrace:lock` by default. */
  readonly prefix?: string
  /**
   * How long a waiter that was given the key may stay silent before the next one gets it; its first renewal follows at a
   * third of it. Above the longest pause of a healthy process. 1 s by default.
   */
  readonly claimMs?: number
  /** For how long the last token is kept after the lease that had it. Only against a server clock that is set back. 1 h by default. */
  readonly tokenKeepMs?: number
  /** Counts a grant only when replicas have it; for one primary behind one connection. Without it nothing is waited for. */
  readonly replicas?: ReplicaOptions
}

/**
 * Locks on one Redis primary, alone, behind Sentinel or in a Cluster, first come, first served: who releases a key gives
 * it to the next in line and tells it. A second connection, which hears that, is made from `client` at the first request.
 * Tokens begin at the server's time in microseconds and are less than a millisecond ahead of it, so they go on after a loss
 * of all data; for that, a grant is handed on inside the process at most 999 times, whatever `handoverMax` says.
 */
export function redisLocks(client: Ioredis | NodeRedis, options: RedisLocksOptions = {}): LockDriver {
  const { prefix = 'headrace:lock', claimMs = 1_000, tokenKeepMs = 3_600_000, replicas } = options
  if (typeof prefix !== 'string' || /[{}]/.test(prefix))
    throw new TypeError('prefix must be a string without braces: they choose the slot in a cluster')
  checkInteger('claimMs', claimMs, { min: 10 })
  checkInteger('tokenKeepMs', tokenKeepMs, { min: 1 })
  const port = redisPort(client)
  const channels = `${prefix}:to:`
  // The receivers of a message are counted on the node that sends it; in a cluster they may be on others.
  const { cluster } = port
  const fixed = [tokenKeepMs, `${claimMs} ${cluster ? 0 : 1} ${channels}`, cluster ? '' : `${prefix}:mark`]

  const driver: LockDriver = {
    name: 'redis',
    supports: {
      fencing: true,
      queue: 'pushed',
      shared: true,
      inspect: true,
      evict: true,
      // While the server works on one call, the client prepares the next: with all in one, they would take turns.
      batchMax: cluster ? 1 : 32,
      ttlMinMs: 1,
      ttlMaxMs: 2 ** 40,
    },
    open: (events) => {
      const { clock } = events
      const server = serverTime(clock)
      let listening: Promise<() => void> | undefined
      let hears = false

      const hear = (message: string) => {
        const [word, id = '', token = '0', count, grantedMs, ttlMs] = message.split(' ')
        if (word === 'l') events.lost(id)
        else if (word === 'a') events.asked(id)
        else if (word === 'n') events.first?.(id, Number(token))
        else if (word === 'g')
          events.granted(id, {
            state: 'held',
            token: BigInt(token),
            tokens: Number(count),
            ttlMs: Number(ttlMs),
            sinceMs: server.momentOf(id, Number(grantedMs)),
          })
      }
      const listen = async () => {
        listening ??= port.listen(channels + events.session, hear, events.missed)
        try {
          await listening
          hears = true
        } catch (error) {
          listening = undefined
          throw refusal(error) ?? error
        }
      }
      const keyOf = ({ key }: { readonly key: string }) => `${prefix}:{${escaped(key)}}`
      const run = (script: Script, requests: readonly { readonly key: string }[], args: (string | number)[]) =>
        port.run(script, requests.map(keyOf), args)
      const refused = (error: unknown): never => {
        throw refusal(error) ?? error
      }
      // No async functions on the way of every lease: each would be a promise more, and what it remembers while it waits.
      const acquireAlike = (requests: readonly AcquireRequest[]): Promise<readonly Standing[]> => {
        const { ttlMs, waitMs, tokens, share, label = '' } = requests[0]!
        const terms = `${String(reserved(tokens)).padStart(4, '0')} ${share ? `${share.weight} ${share.capacity}` : '0 0'} ${Math.ceil(waitMs)}`
        const args = [...fixed, Math.ceil(ttlMs), terms, label === '' ? '' : `${label} `, joined(requests)]
        const asking = server.asks(requests)
        return run(acquireScript, requests, args).then(
          (reply) => {
            server.answered(asking)
            const standings = standingsIn(reply, requests.length, tokens)
            for (let n = 0; n < requests.length; n++)
              if (standings[n]!.state === 'queued') server.waits(asking, requests[n]!.id, serverMsIn(reply))
            return standings
          },
          (error) => {
            server.answered(asking)
            return refused(error)
          },
        )
      }
      const acquire = (requests: readonly AcquireRequest[]) =>
        inParts(requests, sameTerms, acquireAlike, (error): Standing => ({ state: 'failed', error }))
      const releaseAlike = (requests: readonly ReleaseRequest[]): Promise<readonly boolean[]> => {
        // Not before the answer: the reply that one of them waits can still be on its way.
        const forget = () => {
          for (const { id } of requests) server.forget(id)
        }
        return run(releaseScript, requests, [...fixed, joined(requests)]).then(
          (reply) => {
            forget()
            return releasedIn(reply, requests.length)
          },
          (error) => {
            forget()
            return refused(error)
          },
        )
      }

      return {
        // Who holds must hear too: that it is asked to let go, or has been forced out.
        acquire: (requests) => (hears ? acquire(requests) : listen().then(() => acquire(requests))),
        async renew(requests) {
          const sentMs = clock.nowMs()
          const terms = requests.flatMap(({ id, ttlMs, waitMs }) => [id, Math.ceil(ttlMs), Math.ceil(waitMs)])
          const reply = await run(renewScript, requests, [...fixed, ...terms]).catch(refused)
          const standings = standingsIn(reply, requests.length)
          for (const [n, { id }] of requests.entries())
            if (standings[n]!.state === 'queued') server.waitsStill(id, sentMs, serverMsIn(reply))
            else server.forget(id)
          return standings
        },
        release: (requests) => inParts(requests, sameWidth, releaseAlike),
        inspect: async (key) => lockStateIn(await run(inspectScript, [{ key }], fixed).catch(refused)),
        evict: async (key, how) =>
          Number(await run(evictScript, [{ key }], [...fixed, how === 'ask' ? 'a' : 'l']).catch(refused)),
        async close() {
          const stop = await listening?.catch(() => undefined)
          stop?.()
        },
      }
    },
  }
  return replicas ? onReplicas(driver, port, replicas) : driver
}

interface Named {
  readonly id: string
}

/** Whether two requests may share what is sent once for each call. */
function sameTerms(one: AcquireRequest, other: AcquireRequest): boolean {
  return (
    sameWidth(one, other) &&
    one.ttlMs === other.ttlMs &&
    one.waitMs === other.waitMs &&
    one.tokens === other.tokens &&
    one.label === other.label &&
    one.share?.weight === other.share?.weight &&
    one.share?.capacity === other.share?.capacity
  )
}

function sameWidth(one: Named, other: Named): boolean {
  return one.id.length === other.id.length
}

/** Closing braces end the hash tag: without this, the names made from one key could lie in different slots. */
function escaped(key: string): string {
  return /[%}]/.test(key) ? key.replaceAll('%', '%25').replaceAll('}', '%7D') : key
}

function joined(requests: readonly Named[]): string {
  let ids = ''
  for (const { id } of requests) ids += id
  return ids
}
