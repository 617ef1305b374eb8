import { type Clock, within } from '@headrace/core'
import { type Entry, Fifo } from '../fifo.ts'
import { type Ioredis, type NodeRedis, type RedisPort, redisPort } from '../redis/client.ts'
import { script } from './script.ts'

/** What the script answers to one operation, or why there is no answer. */
export type Reply = { readonly value: unknown } | { readonly error: unknown }

/** One of the independent servers, as a session uses it. */
export interface QuorumNode {
  /** True from a failure or a missing answer until the next answer. */
  readonly suspect: boolean
  /** Its last answer to a vote was that it does not vote, because it may have lost data. */
  away: boolean
  /** The operations of one turn of the event loop go together, in their order. `answered` is called once, in `nodeMs`. */
  send(key: string, operation: string, answered?: (reply: Reply) => void): void
  /** What nobody waits for goes with the next operation that is sent, or a little later, or when it is to `hurry`. */
  sendLater(key: string, operation: string, answered?: (reply: Reply) => void): void
  hurry(): void
  /** Hears what the node tells the session; opens the connection for it once. */
  listen(): Promise<void>
  close(): Promise<void>
}

// What is sent to a node that does not answer waits in the client's memory. Releases are worth more of it than votes.
const unansweredMax = 4_096
const releasesMax = 16_384
const batchMax = 256
// Far below the time that a waiter has to answer its call, and long enough to meet the next operation of a busy session.
const laterMs = 20

export interface NodeOptions {
  readonly client: Ioredis | NodeRedis
  readonly clock: Clock
  readonly prefix: string
  readonly session: string
  readonly nodeMs: number
  /** For how long at least a counter is kept. */
  readonly tokenKeepMs: number
  /** The silence of a waiter, and the longest ttl, as the script takes them. */
  readonly terms: string
  heard(message: string): void
  /** It did not answer, or its notices were interrupted. */
  trouble(): void
}

/** Operations that were sent together. */
interface Batch extends Entry {
  readonly waiting: readonly (((reply: Reply) => void) | undefined)[]
  readonly dueMs: number
  open: boolean
}

export function quorumNode(options: NodeOptions): QuorumNode {
  const { client, clock, prefix, session, nodeMs, tokenKeepMs, terms, heard, trouble } = options
  const port: RedisPort = redisPort(client)
  const run = runner(client)
  const marker = `${prefix}:node`
  const channels = `${prefix}:to:`
  const leading = [`${tokenKeepMs}`, `${terms} ${channels}`]
  let keys: string[] = []
  let operations: string[] = []
  let waiting: (((reply: Reply) => void) | undefined)[] = []
  let posted = false
  let cancelLater: (() => void) | undefined
  let unanswered = 0
  let suspect = false
  let listening: Promise<() => void> | undefined
  let deafUntilMs = Number.NEGATIVE_INFINITY
  let listens = false
  // In the order in which they are due, so that one timer is enough for all.
  const sent = new Fifo<Batch>()
  let cancelWatch: (() => void) | undefined
  let closed = false

  const doubt = () => {
    if (suspect) return
    suspect = true
    trouble()
  }
  const rest = () => {
    if (!sent.first) cancelWatch?.()
  }
  const settle = (batch: Batch, replyOf: (at: number) => Reply) => {
    if (!batch.open) return
    batch.open = false
    sent.delete(batch)
    if (closed) rest()
    const { waiting } = batch
    for (let at = 0; at < waiting.length; at++) waiting[at]?.(replyOf(at))
  }
  const watch = () => {
    const nowMs = clock.nowMs()
    cancelWatch = undefined
    for (let first = sent.first; first && first.dueMs <= nowMs; first = sent.first) {
      doubt()
      const error = new Error(`no answer within ${nodeMs} ms`)
      settle(first, () => ({ error }))
    }
    if (sent.first) cancelWatch ??= clock.after(sent.first.dueMs - nowMs, watch)
  }
  const flush = () => {
    posted = false
    cancelLater?.()
    cancelLater = undefined
    if (operations.length === 0) return
    const sentKeys = [marker, ...keys]
    const args = operations
    const dueMs = clock.nowMs() + nodeMs
    const batch: Batch = { before: undefined, after: undefined, waiting, dueMs, open: true }
    const { length } = waiting
    keys = []
    operations = []
    waiting = []
    unanswered += length
    sent.push(batch)
    // It is not called off with each answer: that would cost more than to find nothing due now and then.
    cancelWatch ??= clock.after(nodeMs, watch)
    run(leading, sentKeys, args).then(
      (values) => {
        unanswered -= length
        suspect = false
        settle(batch, (at) => {
          const value = (values as unknown[])[at]
          // The client turns nothing of an array into an error: a text with a capital word is one of the script's.
          return typeof value === 'string' && value.startsWith('WRONGTYPE') ? { error: new Error(value) } : { value }
        })
      },
      (error: unknown) => {
        unanswered -= length
        doubt()
        settle(batch, () => ({ error }))
      },
    )
  }
  /** False where it is full: then the answer is an error. */
  const put = (key: string, operation: string, answered?: (reply: Reply) => void): boolean => {
    if (unanswered >= (operation.startsWith('f') ? releasesMax : unansweredMax)) {
      const error = new Error(`${unanswered} requests have had no answer`)
      if (answered) process.nextTick(answered, { error })
      return false
    }
    keys.push(`${prefix}:{${key}}`)
    operations.push(operation)
    waiting.push(answered)
    if (operations.length >= batchMax) flush()
    return operations.length > 0
  }
  const post = () => {
    if (posted) return
    posted = true
    process.nextTick(flush)
  }

  return {
    away: false,
    get suspect() {
      return suspect
    },
    send(key, operation, answered) {
      if (put(key, operation, answered)) post()
    },
    sendLater(key, operation, answered) {
      if (put(key, operation, answered) && !posted) cancelLater ??= clock.after(laterMs, flush)
    },
    hurry() {
      if (operations.length > 0) post()
    },
    async listen() {
      if (listens) return
      if (clock.nowMs() < deafUntilMs) throw new Error('no connection for notices')
      listening ??= port.listen(channels + session, heard, trouble)
      const opening = listening
      opening.then(
        () => {
          listens = true
        },
        () => {
          if (listening === opening) listening = undefined
        },
      )
      try {
        await within(clock, nodeMs, opening, { what: 'the subscription' })
      } catch (error) {
        deafUntilMs = clock.nowMs() + 5 * nodeMs
        throw error
      }
    },
    async close() {
      closed = true
      flush()
      rest()
      const opening = listening
      listening = undefined
      // A connection that is still being made is closed when it is there; a node that is down must not delay this.
      opening?.then(
        (stop) => stop(),
        () => {},
      )
    },
  }
}

/** Runs the script by its name, and where the server does not know it, by its text: with a look at its run id. */
function runner(client: Ioredis | NodeRedis) {
  const call = (text: boolean, keys: string[], args: string[]): Promise<unknown> => {
    const what = text ? script.text : script.sha
    if ('evalSha' in client) {
      const options = { keys, arguments: args }
      return text ? client.eval(what, options) : client.evalSha(what, options)
    }
    return text ? client.eval(what, keys.length, ...keys, ...args) : client.evalsha(what, keys.length, ...keys, ...args)
  }
  return async (leading: readonly string[], keys: string[], args: string[]): Promise<unknown> => {
    try {
      return await call(false, keys, [...leading, '0', ...args])
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await call(true, keys, [...leading, '1', ...args])
    }
  }
}
