import { type Clock, within } from '@headrace/core'
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
  /** Hears what the node tells the session; opens the connection for it once. */
  listen(): Promise<void>
  close(): Promise<void>
}

// What is sent to a node that does not answer waits in the client's memory. Releases are worth more of it than votes.
const unansweredMax = 4_096
const releasesMax = 16_384
const batchMax = 256

export interface NodeOptions {
  readonly client: Ioredis | NodeRedis
  readonly clock: Clock
  readonly prefix: string
  readonly session: string
  readonly nodeMs: number
  /** The first argument of the script, without its last digit. */
  readonly terms: string
  heard(message: string): void
  /** It did not answer, or its notices were interrupted. */
  trouble(): void
}

export function quorumNode(options: NodeOptions): QuorumNode {
  const { client, clock, prefix, session, nodeMs, terms, heard, trouble } = options
  const port: RedisPort = redisPort(client)
  const run = runner(client)
  const channels = `${prefix}:to:`
  let keys: string[] = []
  let operations: string[] = []
  let waiting: (((reply: Reply) => void) | undefined)[] = []
  let posted = false
  let unanswered = 0
  let suspect = false
  let listening: Promise<() => void> | undefined
  let deafUntilMs = Number.NEGATIVE_INFINITY
  let listens = false

  const doubt = () => {
    if (suspect) return
    suspect = true
    trouble()
  }
  const flush = () => {
    posted = false
    const sentKeys = [`${prefix}:node`, ...keys]
    const args = [channels, ...operations]
    const answered = waiting
    keys = []
    operations = []
    waiting = []
    unanswered += answered.length
    let open = true
    const settle = (replyOf: (at: number) => Reply) => {
      if (!open) return
      open = false
      cancel()
      for (const [at, one] of answered.entries()) one?.(replyOf(at))
    }
    const cancel = clock.after(nodeMs, () => {
      doubt()
      const error = new Error(`no answer within ${nodeMs} ms`)
      settle(() => ({ error }))
    })
    run(terms, sentKeys, args).then(
      (values) => {
        unanswered -= answered.length
        suspect = false
        const found = values as unknown[]
        settle((at) => {
          const value = found[at]
          // The client turns nothing of an array into an error: a text with a capital word is one of the script's.
          return typeof value === 'string' && value.startsWith('WRONGTYPE') ? { error: new Error(value) } : { value }
        })
      },
      (error: unknown) => {
        unanswered -= answered.length
        doubt()
        settle(() => ({ error }))
      },
    )
  }

  return {
    away: false,
    get suspect() {
      return suspect
    },
    send(key, operation, answered) {
      if (unanswered >= (operation.startsWith('f') ? releasesMax : unansweredMax)) {
        const error = new Error(`${unanswered} requests have had no answer`)
        if (answered) process.nextTick(answered, { error })
        return
      }
      keys.push(`${prefix}:{${key}}`)
      operations.push(operation)
      waiting.push(answered)
      if (operations.length >= batchMax) flush()
      else if (!posted) {
        posted = true
        process.nextTick(() => {
          if (operations.length > 0) flush()
          else posted = false
        })
      }
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
  return async (terms: string, keys: string[], args: string[]): Promise<unknown> => {
    try {
      return await call(false, keys, [`${terms} 0`, ...args])
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return await call(true, keys, [`${terms} 1`, ...args])
    }
  }
}
