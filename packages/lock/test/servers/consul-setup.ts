import { randomUUID } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import type { LockDriver } from '@headrace/lock'
import type { LockSubject } from '@headrace/lock/conformance'
import { type Server, startConsul } from '@headrace/stack'

export const ttlMs = 300

/** An agent that takes sessions of a short ttl, so that tests need not wait for the end of long ones. */
export const startQuickConsul = (): Promise<Server> => startConsul({ args: ['-hcl', 'session_ttl_min = "50ms"'] })

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
  close(): void
}

/** Passes requests on to an agent. */
export async function proxyTo(server: Server): Promise<Proxy> {
  const target = new URL(server.url)
  const agent = new http.Agent({ keepAlive: true })
  let count = 0
  let losing = false
  const proxy = http.createServer((request, response) => {
    count++
    const { method, url, headers } = request
    const options = { hostname: target.hostname, port: target.port, method, path: url, headers, agent }
    const passed = http.request(options, (answer) => {
      if (losing && url!.startsWith('/v1/txn')) {
        losing = false
        answer.resume().on('end', () => response.destroy())
        return
      }
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.destroy())
    response.on('close', () => passed.destroy())
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
    close() {
      proxy.closeAllConnections()
      proxy.close()
    },
  }
}
