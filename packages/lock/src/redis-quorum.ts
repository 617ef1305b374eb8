import { checkInteger, cryptoRandom, HeadraceError, type Random } from '@headrace/core'
import type { LockDriver, Standing } from './driver.ts'
import { createContest } from './quorum/contest.ts'
import { giveBack } from './quorum/hold.ts'
import { inspect } from './quorum/inspect.ts'
import { type QuorumNode, quorumNode } from './quorum/node.ts'
import { openPlace, type Place } from './quorum/place.ts'
import { readName } from './quorum/round.ts'
import { type Ioredis, type NodeRedis, redisPort } from './redis/client.ts'

export type { Ioredis, NodeRedis } from './redis/client.ts'

export interface RedisQuorumLocksOptions {
  /** Begins the name of every key and channel; the same for all who contend. `headrace:quorum` by default. */
  readonly prefix?: string
  /** The longest ttl, and how long a node that has restarted stays out; the same for all who contend. 30 s by default. */
  readonly ttlMaxMs?: number
  /**
   * A node that takes longer to answer counts as down. An attempt may meet each node of a minority like that, one after
   * the other: twice this for three nodes, three times for five, must be below `callMs` of `createLocks`. 500 ms by default.
   */
  readonly nodeMs?: number
  /** How long a waiter that was given the key may stay silent before the next one gets it. 1 s by default. */
  readonly claimMs?: number
  /** For how long, at least, the last token of a key is kept after its last use. 1 h by default. */
  readonly tokenKeepMs?: number
  /** Chooses the pauses between the rounds of those who share the votes. Of the system by default. */
  readonly random?: Random
}

/**
 * Locks on several independent Redis primaries, of which a majority must work: any smaller number may be down, hang, or
 * have lost its data. Tokens grow strictly, whatever clocks do. Who waits is served in order of arrival by the first node
 * that works. Each node is a client of its own, in the same order for all who contend.
 */
export function redisQuorumLocks(
  clients: readonly (Ioredis | NodeRedis)[],
  options: RedisQuorumLocksOptions = {},
): LockDriver {
  const { prefix = 'headrace:quorum', ttlMaxMs = 30_000, nodeMs = 500, claimMs = 1_000 } = options
  const { tokenKeepMs = 3_600_000, random = cryptoRandom } = options
  if (!Array.isArray(clients) || clients.length === 0 || clients.length > 15)
    throw new TypeError('clients must be an array of 1 to 15 clients, one for each node')
  if (new Set(clients).size < clients.length)
    throw new RangeError('clients must be different: the same node twice is not two votes')
  for (const client of clients)
    if (redisPort(client).cluster) throw new TypeError('clients must be of single primaries, not of a cluster')
  if (typeof prefix !== 'string' || /[{}]/.test(prefix)) throw new TypeError('prefix must be a string without braces')
  checkInteger('ttlMaxMs', ttlMaxMs, { min: 100, max: 2 ** 31 })
  checkInteger('nodeMs', nodeMs, { min: 1, max: 2 ** 31 })
  checkInteger('claimMs', claimMs, { min: 10, max: 2 ** 31 })
  checkInteger('tokenKeepMs', tokenKeepMs, { min: ttlMaxMs, max: 2 ** 40 })
  const terms = `${claimMs} ${ttlMaxMs}`

  return {
    name: 'redis-quorum',
    supports: {
      fencing: true,
      queue: 'pushed',
      shared: false,
      inspect: true,
      evict: false,
      // The nodes put the requests of one turn together by themselves; so none waits for the others' answers.
      batchMax: 1,
      ttlMinMs: 10,
      ttlMaxMs,
    },
    open({ clock, session, granted, missed }) {
      // What this session has asked for and not given back, of which createLocks bounds the number.
      const places = new Map<string, Place>()
      let closed = false

      const hear = (at: number, message: string) => {
        const [word, called = '', last, grantedMs, ttlMs, after = '-', ...key] = message.split(' ')
        if (word !== 'g' || closed) return
        const { id, name } = readName(called)
        const place = places.get(id)
        const turn = { at, name, last: Number(last), grantedMs: Number(grantedMs), ttlMs: Number(ttlMs), after }
        if (place) contest.turn(place, turn)
        // Whoever waited has gone, or was told of another node: the next one gets it.
        else nodes[at]!.send(key.join(' ').slice(prefix.length + 2, -1), `f ${called} ${after}`)
      }
      const nodes: QuorumNode[] = clients.map((client, at) =>
        quorumNode({
          client,
          clock,
          prefix,
          session,
          nodeMs,
          tokenKeepMs,
          terms,
          heard: (message) => hear(at, message),
          trouble: () => {
            const waits = (place: Place) => place.at === at && place.state !== 'held'
            if (!closed && [...places.values()].some(waits)) missed()
          },
        }),
      )
      const contest = createContest({ nodes, clock, random, ttlMaxMs, granted })
      // An id that is used again, for another key, is another attempt.
      const placeOf = (key: string, id: string) => {
        const place = places.get(id)
        return place?.key === key ? place : undefined
      }
      const settled = (place: Place, standing: Standing): Standing => {
        const isOver = standing.state === 'gone' || standing.state === 'failed'
        if (isOver && places.get(place.id) === place) places.delete(place.id)
        return standing
      }

      return {
        acquire: (requests) =>
          Promise.all(
            requests.map(async ({ key, id, ttlMs, waitMs, tokens, label = '' }) => {
              const place =
                placeOf(key, id) ?? openPlace({ key, id, name: 0, ttlMs, waitMs, tokens, label }, clock.nowMs())
              places.set(id, place)
              return settled(place, await contest.acquire(place))
            }),
          ),
        renew: (requests) =>
          Promise.all(
            requests.map(async ({ key, id, ttlMs, waitMs }): Promise<Standing> => {
              const place = placeOf(key, id)
              if (!place) return { state: 'gone' }
              place.ttlMs = ttlMs
              if (place.state !== 'held') {
                place.waitMs = waitMs
                return await contest.look(place)
              }
              const standing = await contest.renew(place)
              return standing.state === 'gone' ? settled(place, standing) : standing
            }),
          ),
        release: (requests) =>
          Promise.all(
            requests.map(async (request) => {
              const place = placeOf(request.key, request.id)
              // It holds nothing that we know of; what an earlier call has left behind goes.
              if (!place) return (await giveBack(nodes, { ...request, name: 0 })) && false
              place.ended = true
              places.delete(request.id)
              return await contest.release(place)
            }),
          ),
        inspect: (key) => inspect(nodes, key),
        async evict() {
          throw new HeadraceError('UNSUPPORTED', 'redis-quorum cannot evict')
        },
        async close() {
          closed = true
          await Promise.all(nodes.map((node) => node.close()))
        },
      }
    },
  }
}
