import { randomUUID } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import {
  createLocks,
  type LockDriver,
  type LockEvents,
  type LockSession,
  type Locks,
  type LocksOptions,
} from '@headrace/lock'
import type { LockSubject } from '@headrace/lock/conformance'
import { consulLocks } from '@headrace/lock/consul'
import { type Server, startConsul } from '@headrace/stack'
import { afterAll, beforeAll } from 'vitest'

export const ttlMs = 300

/** An agent that takes sessions of a short ttl, so that tests need not wait for the end of long ones. */
export const startQuickConsul = (): Promise<Server> => startConsul({ args: ['-hcl', 'session_ttl_min = "50ms"'] })

export interface ConsulFixture {
  readonly server: Server
  open(prefix: string, options?: LocksOptions & { readonly url?: string }): Locks
  /** A session of the driver alone, without what `createLocks` does. */
  raw(prefix: string, events?: Partial<LockEvents>, url?: string): LockSession
  keysIn(folder: string): Promise<string[]>
}

/** An agent for the tests of one file, which takes short sessions. */
export function consulFixture(): ConsulFixture {
  let server: Server
  beforeAll(async () => {
    server = await startQuickConsul()
  })
  afterAll(() => server.stop())
  return {
    get server() {
      return server
    },
    open: (prefix, options = {}) =>
      createLocks(consulLocks(options.url ?? server.url, { prefix, ttlMinMs: 300 }), options),
    raw(prefix, events = {}, url = server.url) {
      const nothing = () => {}
      const told = { granted: nothing, lost: nothing, asked: nothing, missed: nothing, ...events }
      return consulLocks(url, { prefix, ttlMinMs: 300 }).open({ clock: systemClock, session: 'e'.repeat(32), ...told })
    },
    keysIn: (folder) => ask(server, 'GET', `/kv/${folder}/?keys`),
  }
}

export const freshFolder = (): string => `test/${randomUUID()}`

/** Consul ends a session after about twice its ttl, so time is stretched by that. */
export const onConsul = (driver: LockDriver, peer: LockDriver): LockSubject => ({
  driver,
  peer,
  clock: systemClock,
  ttlMs,
  keptMs: 2 * ttlMs,
  elapse: (ms: number) => sleep(2 * ms),
})

/** Asks an agent, as an operator would. */
export async function ask<T>(server: Server, method: string, path: string, body?: string): Promise<T> {
  const answer = await fetch(`${server.url}/v1${path}`, { method, ...(body !== undefined && { body }) })
  return (await answer.json()) as T
}

interface SessionInfo {
  readonly ID: string
  readonly Name: string
}

/** Destroys every session, as an operator does or a node that is taken away. */
export async function destroySessions(server: Server): Promise<number> {
  const sessions = await ask<SessionInfo[]>(server, 'GET', '/session/list')
  for (const { ID } of sessions) await ask(server, 'PUT', `/session/destroy/${ID}`)
  return sessions.length
}

export interface Proxy {
  readonly url: string
  /** How many requests came. */
  readonly count: number
  /** Lets the next transaction pass, but not its answer. */
  loseAnswer(): void
  /** Answers every request with this status instead, until it is undefined. */
  refuse(status: number | undefined): void
  /** The next blocking query answers with this index instead of its own. */
  sayIndex(index: number): void
  /** Ends the connections of all requests that wait for an answer. */
  cut(): void
  close(): void
}

/** Passes requests on to an agent. */
export async function proxyTo(server: Server): Promise<Proxy> {
  const target = new URL(server.url)
  const agent = new http.Agent({ keepAlive: true })
  let count = 0
  let losing = false
  let refusal: number | undefined
  let index: number | undefined
  const waiting = new Set<http.ServerResponse>()
  const proxy = http.createServer((request, response) => {
    count++
    if (refusal !== undefined) {
      request.resume()
      return response.writeHead(refusal).end('No cluster leader')
    }
    waiting.add(response)
    const { method, url, headers } = request
    const options = { hostname: target.hostname, port: target.port, method, path: url, headers, agent }
    const passed = http.request(options, (answer) => {
      if (losing && url!.startsWith('/v1/txn')) {
        losing = false
        answer.resume().on('end', () => response.destroy())
        return
      }
      const blocking = index !== undefined && url!.includes('index=')
      const changed = blocking ? { ...answer.headers, 'x-consul-index': `${index}` } : answer.headers
      if (blocking) index = undefined
      response.writeHead(answer.statusCode!, changed)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    response.on('close', () => {
      waiting.delete(response)
      passed.destroy()
    })
    request.pipe(passed)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    get count() {
      return count
    },
    loseAnswer() {
      losing = true
    },
    refuse(status) {
      refusal = status
    },
    sayIndex(said) {
      index = said
    },
    cut() {
      for (const response of waiting) response.destroy()
    },
    close() {
      proxy.closeAllConnections()
      proxy.close()
    },
  }
}
