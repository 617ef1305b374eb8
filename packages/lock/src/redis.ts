import { type Clock, checkInteger, HeadraceError } from '@headrace/core'
import type { AcquireRequest, LockDriver, LockState, Party, Standing } from './driver.ts'
import { type Ioredis, type NodeRedis, redisPort } from './redis/client.ts'
import { acquireScript, evictScript, inspectScript, releaseScript, renewScript, type Script } from './redis/scripts.ts'
import { tokensAheadMax } from './redis/state.ts'

export type { Ioredis, NodeRedis } from './redis/client.ts'

export interface RedisLocksOptions {
  /** Begins the name of every key and channel; the same for all who contend. `headrace:lock` by default. */
  readonly prefix?: string
  /**
   * How long a waiter that was given the key may stay silent before the next one gets it; its first renewal follows at a
   * third of it. Above the longest pause of a healthy process. 1 s by default.
   */
  readonly claimMs?: number
  /** For how long the last token of a key is kept after its release. Only against a server clock that is set back. 1 h by default. */
  readonly tokenKeepMs?: number
}

/**
 * Locks on one Redis primary, alone, behind Sentinel or in a Cluster, first come, first served: who releases a key gives
 * it to the next in line and tells it. A second connection, which hears that, is made from `client` at the first request.
 * Tokens begin at the server's time in microseconds and are less than a millisecond ahead of it, so they go on after a loss
 * of all data; for that, a grant is handed on inside the process at most 999 times, whatever `handoverMax` says.
 */
export function redisLocks(client: Ioredis | NodeRedis, options: RedisLocksOptions = {}): LockDriver {
  const { prefix = 'headrace:lock', claimMs = 1_000, tokenKeepMs = 3_600_000 } = options
  if (typeof prefix !== 'string' || /[{}]/.test(prefix))
    throw new TypeError('prefix must be a string without braces: they choose the slot in a cluster')
  checkInteger('claimMs', claimMs, { min: 10 })
  checkInteger('tokenKeepMs', tokenKeepMs, { min: 1 })
  const port = redisPort(client)
  const channels = `${prefix}:to:`
  // The receivers of a message are counted on the node that sends it; in a cluster they may be on others.
  const fixed: (string | number)[] = [tokenKeepMs, `${claimMs} ${port.cluster ? 0 : 1} ${channels}`]

  return {
    name: 'redis',
    supports: {
      fencing: true,
      queue: 'pushed',
      shared: true,
      inspect: true,
      evict: true,
      batchMax: port.cluster ? 1 : 128,
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
      const keyOf = (key: string) => `${prefix}:{${escaped(key)}}`
      const run = async (script: Script, requests: readonly { readonly key: string }[], args: (string | number)[]) => {
        const keys = requests.map(({ key }) => keyOf(key))
        try {
          return (await port.run(script, keys, args)) as unknown[]
        } catch (error) {
          throw refusal(error) ?? error
        }
      }
      /** Runs a script that answers how each id stands, and notes the server's time for those who wait. */
      const ask = async (script: Script, requests: readonly Asked[], args: (string | number)[]) => {
        const sentMs = clock.nowMs()
        const reply = await run(script, requests, args)
        return requests.map(({ id, tokens }, at) => {
          const standing = standingIn(reply, 1 + at * 3, reserved(tokens))
          if (standing.state === 'queued') server.sample(id, sentMs, Number(reply[0]))
          else server.forget(id)
          return standing
        })
      }
      const acquire = async (requests: readonly AcquireRequest[], terms: string) => {
        const [ttl, ...more] = terms.split(' ')
        const args = [...fixed, ttl!, more.join(' ')]
        for (const { id, tokens, label = '' } of requests) args.push(`${reserved(tokens)} ${id} ${label}`)
        const sentMs = clock.nowMs()
        for (const { id, waitMs } of requests) if (waitMs > 0) server.asked(id, sentMs)
        try {
          return await ask(acquireScript, requests, args)
        } catch (error) {
          for (const { id } of requests) server.forget(id)
          throw error
        }
      }

      return {
        async acquire(requests) {
          server.begin()
          // Who holds must hear too: that it is asked to let go, or has been forced out.
          if (!hears) await listen()
          // The terms are sent once for each call, so neighbours with different ones go in different calls, in their order.
          const calls: Promise<readonly Standing[]>[] = []
          for (let from = 0, to = 0; from < requests.length; from = to) {
            const terms = termsOf(requests[from]!)
            while (to < requests.length && termsOf(requests[to]!) === terms) to++
            const alike = to - from === requests.length ? requests : requests.slice(from, to)
            const call = acquire(alike, terms)
            // A call that fails must not hide what the others were granted.
            if (alike === requests) return await call
            calls.push(call.catch((error: unknown) => alike.map(() => ({ state: 'failed', error }))))
          }
          return (await Promise.all(calls)).flat()
        },
        renew: (requests) =>
          ask(renewScript, requests, [
            ...fixed,
            ...requests.flatMap(({ id, ttlMs, waitMs }) => [id, Math.ceil(ttlMs), Math.ceil(waitMs)]),
          ]),
        async release(requests) {
          for (const { id } of requests) server.forget(id)
          const codes = await run(releaseScript, requests, [...fixed, ...requests.map(({ id }) => id)])
          return codes.map((code) => {
            if (Number.isNaN(Number(code))) throw refusal(new Error(String(code)))
            return Number(code) === held
          })
        },
        inspect: async (key) => lockState(await run(inspectScript, [{ key }], fixed)),
        evict: async (key, how) => Number(await run(evictScript, [{ key }], [...fixed, how === 'ask' ? 'a' : 'l'])),
        async close() {
          const stop = await listening?.catch(() => undefined)
          stop?.()
        },
      }
    },
  }
}

/** A request for the standing of an id. */
interface Asked {
  readonly key: string
  readonly id: string
  readonly tokens?: number
}

/** All of a request that is no more its own than that of its neighbours. */
function termsOf({ ttlMs, waitMs, share }: AcquireRequest): string {
  return `${Math.ceil(ttlMs)} ${share ? `${share.weight} ${share.capacity}` : '0 0'} ${Math.ceil(waitMs)}`
}

/** Closing braces end the hash tag: without this, the names made from one key could lie in different slots. */
function escaped(key: string): string {
  return /[%}]/.test(key) ? key.replaceAll('%', '%25').replaceAll('}', '%7D') : key
}

// What the server's clock and ours may differ in speed, over a long wait.
const clockDrift = 0.001

/**
 * When a moment of the server's clock was, on ours, at the earliest. The server read its clock after we sent a request;
 * so a moment `d` later on its clock was at least `d` after the sending. That needs no synchronised clocks. Kept for each
 * id that waits, because in a cluster each key can have a server, and so a clock, of its own.
 */
function serverTime(clock: Clock) {
  const waiting = new Map<string, { readonly sentMs: number; readonly serverMs?: number }>()
  let beganMs = 0
  return {
    /** Nothing can have been granted to this session before its first request. */
    begin() {
      beganMs ||= clock.nowMs()
    },
    /** Before the request is sent: a grant can overtake the reply that says that it waits. */
    asked(id: string, sentMs: number) {
      if (!waiting.has(id)) waiting.set(id, { sentMs })
    },
    sample(id: string, sentMs: number, serverMs: number) {
      // What is no longer here was granted or given back while the reply was on its way.
      if (waiting.has(id)) waiting.set(id, { sentMs, serverMs })
    },
    forget(id: string) {
      if (waiting.size > 0) waiting.delete(id)
    },
    momentOf(id: string, grantedMs: number) {
      const { sentMs, serverMs } = waiting.get(id) ?? { sentMs: beganMs }
      waiting.delete(id)
      return serverMs === undefined ? sentMs : sentMs + (grantedMs - serverMs) * (1 - clockDrift) - 1
    },
  }
}

const held = 1
const queued = 2
const gone = 3

/** Of the tokens that are wanted, those that are asked for. */
function reserved(tokens = 1): number {
  return Math.min(tokens, tokensAheadMax)
}

/** @param tokens what was asked for; a grant that got all of it without a look at anything else does not repeat it. */
function standingIn(reply: unknown[], at: number, tokens: number): Standing {
  const value = reply[at + 1]
  switch (Number(reply[at])) {
    case held:
      return { state: 'held', token: BigInt(value as number), tokens: Number(reply[at + 2]) || tokens }
    case queued:
      return { state: 'queued', leftMs: Number(value) }
    case gone:
      return Number(value) < 0 ? { state: 'gone' } : { state: 'gone', leftMs: Number(value) }
    default: {
      const error = new Error(String(value))
      return { state: 'failed', error: refusal(error) ?? error }
    }
  }
}

function lockState(parties: unknown[]): LockState | null {
  const holders: Party[] = []
  const queue: Party[] = []
  for (const one of parties as [string, string, string, string, ...number[]][]) {
    const [role, id, label, token, forMs, leftMs, weight, capacity] = one
    const party = {
      id,
      label: label === '' ? undefined : label,
      token: role === 'h' ? BigInt(token) : undefined,
      forMs: Number(forMs),
      leftMs: Number(leftMs),
      share: Number(weight) > 0 ? { weight: Number(weight), capacity: Number(capacity) } : undefined,
    }
    if (role === 'h') holders.push(party)
    else queue.push(party)
  }
  return holders.length + queue.length > 0 ? { holders, queue } : null
}

/** What the server refuses for good: no repetition cures a wrong password or a key that is something else. */
function refusal(error: unknown): HeadraceError | undefined {
  const word =
    error instanceof Error ? /^(?:-?ERR )?(WRONGTYPE|NOAUTH|NOPERM|WRONGPASS)\b/.exec(error.message)?.[1] : undefined
  return word ? new HeadraceError('REJECTED', `redis refuses: ${word}`, { cause: error }) : undefined
}
