import type { Clock } from '@headrace/core'
import type { Ioredis } from '@headrace/lock/redis'
import { free, join, raise, vote } from '../src/quorum/rules.ts'
import { script } from '../src/quorum/script.ts'

/** A Redis server of a quorum that exists in virtual time only: it does what its script says, as a test compares. */
export interface SimulatedNode {
  /** A connection: what goes through it takes `latencyMs` each way. */
  client(latencyMs?: number): Ioredis
  /** What arrives waits. */
  pause(): void
  resume(): void
  /** Forgets everything, as after FLUSHALL. */
  flush(): void
  /** Restarts with nothing. */
  wipe(): void
  /** How far its clock is ahead. */
  offsetMs: number
  /** The operations that have been carried out, as `v s.1 …`, in their order. */
  readonly done: readonly string[]
  /** The calls that brought them. */
  readonly calls: number
  ownerOf(key: string): string | undefined
}

interface Waiter {
  readonly id: string
  ttlMs: number
  tokens: number
  label: string
  untilMs: number
  readonly sinceMs: number
}

interface Value {
  last: number
  owner: string | undefined
  /** Whose ttl has ended; until somebody else gets it, or it is given back. */
  past: string | undefined
  untilMs: number
  sinceMs: number
  tokens: number
  from: string
  label: string
  readonly queue: Waiter[]
}

interface Marker {
  ready: boolean
  run: number
  sinceMs: number
  high: number
  floor: number
  empty: boolean
}

const aheadUs = 86_400_000_000

/** @param options.ageMs for how long it has been up at the start. */
export function simulatedNode(clock: Clock, options: { readonly ageMs?: number } = {}): SimulatedNode {
  let bootMs = clock.nowMs() - (options.ageMs ?? 3_600_000)
  let run = 1
  let knowsScript = false
  let paused: (() => void)[] | undefined
  let markers = new Map<string, Marker>()
  let values = new Map<string, Value>()
  const listeners = new Map<string, Set<(message: string) => void>>()
  const done: string[] = []
  let calls = 0

  /** What one call sees of the node. */
  const visit = (markerKey: string, [, terms = '', check]: string[]) => {
    const wallMs = clock.wallMs() + node.offsetMs
    const us = Math.floor(wallMs * 1_000)
    const now = Math.floor(wallMs)
    const upMs = Math.floor((clock.nowMs() - bootMs) / 1_000) * 1_000
    const [claimMs, ttlMaxMs] = terms.split(' ').map(Number) as [number, number]
    const channels = terms.split(' ').slice(2).join(' ')
    let marker = markers.get(markerKey)
    if (!marker) {
      marker = { ready: false, run, sinceMs: now, high: 0, floor: 0, empty: true }
      markers.set(markerKey, marker)
    } else if (check === '1' && marker.run !== run) Object.assign(marker, { run, ready: false, sinceMs: now - upMs })
    const mark = marker

    const load = (key: string): Value => {
      const value = values.get(key) ?? {
        ...{ last: mark.floor, owner: undefined, past: undefined, untilMs: 0, sinceMs: 0 },
        ...{ tokens: 1, from: '-', label: '', queue: [] },
      }
      values.set(key, value)
      if (value.untilMs <= now) {
        value.past = value.owner ?? value.past
        value.owner = undefined
      }
      return value
    }
    const leftOf = ({ owner, untilMs }: Value) => (owner === undefined ? 0 : untilMs - now)
    const take = (value: Value, id: string, from: string, ttlMs: number, tokens: number, label: string) => {
      Object.assign(value, { owner: id, past: undefined, from, untilMs: now + ttlMs, sinceMs: now, tokens, label })
      mark.high = Math.max(mark.high, value.last)
    }
    const serve = (key: string, value: Value, after: string, me?: string) => {
      while (value.owner === undefined) {
        const first = value.queue.shift()
        if (!first) return
        if (first.untilMs <= now) continue
        const [then] = vote({ owner: undefined, last: value.last }, { ...first, after: undefined, proposal: us })
        const isMe = first.id === me
        const ttlMs = isMe ? first.ttlMs : Math.min(first.ttlMs, claimMs)
        const message = `g ${first.id} ${then.last} ${now} ${ttlMs} ${after} ${key}`
        const hears = listeners.get(channels + first.id.split('.')[0])
        if (!isMe && !hears?.size) continue
        value.last = then.last
        take(value, first.id, after, ttlMs, first.tokens, first.label)
        if (!isMe) for (const hear of hears!) hear(message)
      }
    }
    const leave = ({ queue }: Value, id: string) => {
      const at = queue.findIndex((waiter) => waiter.id === id)
      if (at >= 0) queue.splice(at, 1)
    }

    const operations: Record<string, (key: string, text: string) => unknown> = {
      v(key, text) {
        const parts = /^(\S+) (\S+) (\S+) (\d+) (\d+) (\d+) (\d+) (.*)$/.exec(text)!.slice(1)
        const [id, own, after, proposal, tokens, ttl, wait, label] = parts as [string, string, string, ...string[]]
        if (!mark.ready) return [4, mark.sinceMs + ttlMaxMs - now, mark.empty ? 1 : 0]
        const value = load(key)
        serve(key, value, '-', id)
        if (value.owner === id) {
          value.untilMs = now + Number(ttl)
          return value.last
        }
        const before = value.owner
        const candidate = { id, after: after === '-' ? undefined : after, tokens: Number(tokens) }
        const [then, answer] = vote(value, { ...candidate, proposal: Math.min(Number(proposal), us + aheadUs) })
        if (answer.yes) {
          value.last = then.last
          take(value, id, before ?? '-', Number(ttl), Number(tokens), label!)
          return value.last
        }
        if (Number(wait) === 0) return [3, leftOf(value), before]
        const place = value.queue.find((waiter) => waiter.id === id) ? id : own
        const known = value.queue.find((waiter) => waiter.id === place)
        const wish = { ttlMs: Number(ttl), tokens: Number(tokens), label: label!, untilMs: now + Number(wait) }
        if (known) Object.assign(known, wish)
        else value.queue.push({ id: place, ...wish, sinceMs: now })
        return [2, leftOf(value), before, now, place]
      },
      f(key, text) {
        const [id, after] = text.split(' ') as [string, string?]
        const value = load(key)
        const [then, freed] = free({ owner: value.owner, last: value.last }, id)
        const was = freed || value.past === id
        let passed = false
        if (was) Object.assign(value, { owner: then.owner, past: undefined })
        else leave(value, id)
        const handedOver = !was && value.owner !== undefined && value.from === id
        if (handedOver) value.from = '-'
        if (value.owner === undefined && mark.ready) {
          serve(key, value, after === '^' ? value.from : (after ?? (was ? id : '-')))
          passed = value.owner !== undefined
        }
        return was && passed ? 4 : was || handedOver ? 1 : 0
      },
      r(key, text) {
        const [id, last] = text.split(' ') as [string, string]
        const value = load(key)
        const [then, yes] = raise({ owner: value.owner, last: value.last }, id, Number(last))
        if (!mark.ready || !yes) return 0
        value.last = then.last
        mark.high = Math.max(mark.high, value.last)
        return 1
      },
      k(key, text) {
        const [id, ttl] = text.split(' ')
        if (!mark.ready) return 3
        const value = load(key)
        if (value.owner !== id) return value.owner === undefined ? 2 : 0
        value.untilMs = now + Number(ttl)
        return 1
      },
      j(key, text) {
        const [id, last, tokens, ttl, ...label] = text.split(' ') as [string, ...string[]]
        const value = load(key)
        const [then, yes] = join({ owner: value.owner, last: value.last }, id, Number(last))
        if (!mark.ready || !yes) return 0
        value.last = then.last
        take(value, id, '-', Number(ttl), Number(tokens), label.join(' '))
        return 1
      },
      i(key) {
        const value = load(key)
        if (mark.ready) serve(key, value, '-')
        const queue = value.queue
          .filter(({ untilMs }) => untilMs > now)
          .map(({ id, label, sinceMs, untilMs }) => [id, label, now - sinceMs, untilMs - now])
        const { owner, label, sinceMs, last, tokens } = value
        return [owner === undefined ? [] : [owner, label, now - sinceMs, leftOf(value), last - tokens + 1], queue]
      },
      p: () =>
        mark.ready
          ? [1, mark.high, 0, 0, 0, 0]
          : [0, mark.high, mark.sinceMs + ttlMaxMs - now, mark.empty ? 1 : 0, upMs, mark.sinceMs],
      a(_, text) {
        const [low, isNew, since] = text.split(' ').map(Number) as [number, number, number]
        if (mark.ready) return 1
        if (since !== mark.sinceMs) return 0
        if (mark.sinceMs + ttlMaxMs > now && !(isNew === 1 && mark.empty && upMs >= ttlMaxMs)) return 0
        mark.ready = true
        mark.floor = mark.high = Math.max(low, mark.high)
        return 1
      },
    }
    return (operation: string, key: string) => {
      done.push(operation)
      return operations[operation[0]!]!(key, operation.slice(2))
    }
  }

  const node: SimulatedNode = {
    offsetMs: 0,
    done,
    get calls() {
      return calls
    },
    ownerOf: (key) => {
      const value = values.get(key)
      return value && value.untilMs > clock.wallMs() + node.offsetMs ? value.owner : undefined
    },
    client(latencyMs = 1) {
      const travel = async () => {
        if (latencyMs > 0) await clock.sleep(latencyMs)
        while (paused) await new Promise<void>((resolve) => paused!.push(resolve))
      }
      const execute = (count: number, rest: (string | number)[]) => {
        const keys = rest.slice(0, count) as string[]
        const args = rest.slice(count).map(String)
        calls++
        const carryOut = visit(keys[0]!, args)
        return args.slice(3).map((operation, at) => carryOut(operation, keys[at + 1]!))
      }
      return {
        async evalsha(sha, count, ...rest) {
          await travel()
          if (!knowsScript || sha !== script.sha) throw new Error('NOSCRIPT No matching script.')
          const reply = execute(count, rest)
          await travel()
          return reply
        },
        async eval(_, ...rest) {
          knowsScript = true
          return await this.evalsha(script.sha, ...rest)
        },
        duplicate() {
          let hears: ((channel: string, message: string) => void) | undefined
          const left: (() => void)[] = []
          return {
            on(event: string, listener: () => void) {
              if (event === 'message') hears = listener
            },
            async subscribe(channel: string) {
              await travel()
              const hear = (message: string) => void travel().then(() => hears?.(channel, message))
              const all = listeners.get(channel) ?? new Set()
              listeners.set(channel, all.add(hear))
              left.push(() => all.delete(hear))
              await travel()
            },
            disconnect() {
              for (const leave of left) leave()
            },
          }
        },
      }
    },
    pause() {
      paused ??= []
    },
    resume() {
      const arrived = paused ?? []
      paused = undefined
      for (const go of arrived) go()
    },
    flush() {
      markers = new Map()
      values = new Map()
    },
    wipe() {
      run++
      bootMs = clock.nowMs()
      knowsScript = false
      node.flush()
    },
  }
  return node
}
