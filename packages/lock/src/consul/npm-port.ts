import { EventEmitter } from 'node:events'
import {
  type ConsulPort,
  ConsulRefusal,
  entriesOf,
  envelope,
  type Outcome,
  onlyReads,
  sessionSettings,
} from './port.ts'

/** The part of a client of the npm package `consul` that is used. */
export interface ConsulClient {
  readonly kv: {
    get(options: object): Promise<unknown>
    keys(options: object): Promise<unknown>
  }
  readonly session: {
    create(options: object): Promise<unknown>
    renew(options: object): Promise<unknown>
    destroy(options: object): Promise<unknown>
  }
  readonly transaction: { create(operations: unknown[], options?: object): Promise<unknown> }
}

interface Response {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
}

/** Consul through a client that the application has. */
export function npmPort(client: ConsulClient): ConsulPort {
  if (!client?.kv || !client.session || !client.transaction)
    throw new TypeError('consul must be a client of the npm package consul, or the http(s) URL of an agent')
  /** The client is cancelled by an emitter instead of a signal, and gives headers only to one that asks for them. */
  const call = async <T>(
    signal: AbortSignal,
    send: (ctx: EventEmitter) => Promise<unknown>,
  ): Promise<[Response, T]> => {
    const ctx = Object.assign(new EventEmitter(), { includeResponse: true })
    const cancel = () => ctx.emit('cancel')
    signal.addEventListener('abort', cancel, { once: true })
    try {
      return (await send(ctx)) as [Response, T]
    } catch (error) {
      // Its error carries the request, and with that the token: only what Consul said goes on.
      const response = (error as { response?: Response }).response
      if (!response) throw error
      const said = typeof response.body === 'object' ? JSON.stringify(response.body) : String(response.body ?? '')
      throw new ConsulRefusal(response.statusCode, said)
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }

  return {
    async transact(operations, signal) {
      const consistent = onlyReads(operations)
      const [, outcome] = await call<Outcome>(signal, (ctx) =>
        client.transaction.create(envelope(operations), consistent ? { ctx, consistent } : { ctx }),
      )
      return entriesOf(outcome)
    },
    async createSession(name, ttlMs, signal) {
      const options = sessionSettings(name, ttlMs)
      const [, { ID }] = await call<{ ID: string }>(signal, (ctx) => client.session.create({ ...options, ctx }))
      return ID
    },
    async renewSession(id, signal) {
      try {
        await call(signal, (ctx) => client.session.renew({ id, ctx }))
        return true
      } catch (error) {
        if (error instanceof ConsulRefusal && error.status === 404) return false
        throw error
      }
    },
    async destroySession(id, signal) {
      await call(signal, (ctx) => client.session.destroy({ id, ctx }))
    },
    async awaitChange({ name, recurse, index }, waitMs, signal) {
      const options = { key: name, index, wait: `${waitMs}ms` }
      try {
        const [{ headers }] = await call(signal, (ctx) => client.kv[recurse ? 'keys' : 'get']({ ...options, ctx }))
        return Number(headers['x-consul-index'] ?? 0)
      } catch (error) {
        // `keys` of nothing is an error for this client; the moment is what counts, and the next look says what is there.
        if (error instanceof ConsulRefusal && error.status === 404) return 0
        throw error
      }
    },
    // The client is the application's.
    rest() {},
  }
}
