import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { createLocks, type Share } from '@headrace/lock'
import { type ConsulClient, consulLocks } from '@headrace/lock/consul'
import Consul from 'consul'
import { afterEach, expect, it } from 'vitest'
import type { Entry } from '../src/consul/port.ts'
import { encoded, hindrance, holds, ticketsOf } from '../src/consul/queue.ts'

const servers: http.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** An agent that gives one answer to everything. */
async function agent(status: number, body: string) {
  const seen: http.IncomingMessage[] = []
  const server = http.createServer((request, response) => {
    seen.push(request)
    request.resume()
    response.writeHead(status, { 'content-type': 'text/plain' }).end(body)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, seen }
}

const secret = 'b5d6a8f0-not-for-logs'

it.for(['plain connections', 'the npm client'])(
  'what the agent refuses for good is REJECTED, and the token is sent but never told, over %s',
  async (way) => {
    const { url, port, seen } = await agent(403, 'Permission denied')
    const driver =
      way === 'plain connections'
        ? consulLocks(url, { token: secret })
        : consulLocks(new Consul({ host: '127.0.0.1', port, defaults: { token: secret } }))
    const locks = createLocks(driver)
    const error = await locks.acquire('k').catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'REJECTED' })
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(secret)
    expect(seen[0]!.headers['x-consul-token']).toBe(secret)
    await locks.close()
  },
)

it('a server error is no refusal: it can pass', async () => {
  const { url } = await agent(500, 'No cluster leader')
  const locks = createLocks(consulLocks(url))
  await expect(locks.acquire('k')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await locks.close()
})

it('what is neither a client nor a URL is refused', () => {
  expect(() => consulLocks('localhost:8500')).toThrow(TypeError)
  expect(() => consulLocks('ftp://localhost')).toThrow(TypeError)
  expect(() => consulLocks({} as ConsulClient)).toThrow(TypeError)
})

it('options out of range are refused by name', () => {
  for (const prefix of ['', '/a', 'a/', '/']) expect(() => consulLocks('http://a', { prefix })).toThrow('prefix')
  for (const ttlMinMs of [0, Number.NaN, 86_400_001])
    expect(() => consulLocks('http://a', { ttlMinMs })).toThrow('ttlMinMs')
  expect(() => createLocks(consulLocks('http://a'), { ttlMs: 9_999 })).toThrow('ttlMs')
})

const folder = 'p/k/'

/** A line of entries, each with what it shares; made at indexes 10, 20, 30, … */
const line = (...shares: (Share | undefined)[]) =>
  ticketsOf(
    shares
      .map((share, n): Entry => {
        const index = (n + 1) * 10
        const Value = encoded({ ttlMs: 1, atMs: 0, share })
        return { Key: `${folder}s.${n}`, Value, Session: 's', CreateIndex: index, ModifyIndex: index }
      })
      .reverse(),
    folder,
  )

const reader: Share = { weight: 1, capacity: 2 ** 31 }
const permits = (weight: number): Share => ({ weight, capacity: 3 })
const whoHolds = (tickets: ReturnType<typeof line>) => tickets.map((_, at) => holds(tickets, at))

it('the first in line holds, and the readers or permits behind it that fit', () => {
  expect(whoHolds(line(undefined, undefined))).toEqual([true, false])
  expect(whoHolds(line(reader, reader, undefined, reader))).toEqual([true, true, false, false])
  expect(whoHolds(line(permits(2), permits(2), permits(1)))).toEqual([true, false, false])
  expect(whoHolds(line(permits(2), permits(1), permits(1)))).toEqual([true, true, false])
})

it('each waits for one entry only: the last one that keeps it out', () => {
  expect(hindrance(line(undefined, undefined, undefined), 2, folder)).toEqual({
    name: 'p/k/s.1',
    recurse: false,
    index: 20,
  })
  expect(hindrance(line(undefined, reader, undefined, reader, reader), 4, folder)).toMatchObject({ name: 'p/k/s.2' })
  expect(hindrance(line(reader, reader, undefined), 2, folder)).toMatchObject({ name: 'p/k/s.1' })
})

it('who waits for permits looks at every change of the line', () => {
  expect(hindrance(line(permits(3), permits(1), permits(1)), 2, folder)).toEqual({
    name: folder,
    recurse: true,
    index: 30,
  })
})

it('entries without a session, of other folders, or not read are no tickets', () => {
  const entry = { Key: `${folder}s.1`, Value: encoded({}), Session: 's', CreateIndex: 1, ModifyIndex: 1 }
  const { Session: _, ...free } = entry
  expect(ticketsOf([free], folder)).toEqual([])
  expect(ticketsOf([{ ...entry, Value: null }], folder)).toEqual([])
  expect(ticketsOf([{ ...entry, Key: 'p/other/s.1' }], folder)).toEqual([])
  expect(ticketsOf([entry], folder)).toHaveLength(1)
})
