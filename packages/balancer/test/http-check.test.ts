import { createBalancer, staticEndpoints } from '@headrace/balancer'
import { startProxy } from '@headrace/balancer/cli'
import { httpCheck } from '@headrace/balancer/proxy'
import { describe, expect, it, vi } from 'vitest'
import { closedAddress, httpServer } from './http-servers.ts'

const endpointAt = (address: string) => ({ id: address, address, weight: 1, metadata: undefined })
const never = new AbortController().signal

describe('the health check by HTTP', () => {
  it('passes below 400, whatever becomes of the body', async () => {
    const paths: unknown[] = []
    await using server = await httpServer(({ url }, response) => {
      paths.push(url)
      response.writeHead(paths.length === 1 ? 204 : 302)
      if (paths.length === 1) response.end()
      else response.write('and so on')
    })
    for (const address of [server.address, `http://${server.address}/ignored`]) {
      await httpCheck('/health?deep=1')(endpointAt(address), never)
    }
    expect(paths).toEqual(['/health?deep=1', '/health?deep=1'])
  })

  it('fails from 400 on, and where nobody listens', async () => {
    await using server = await httpServer((_, response) => response.writeHead(503).end())
    await expect(httpCheck('/')(endpointAt(server.address), never)).rejects.toThrow('answered 503 to the check')
    await expect(httpCheck('/')(endpointAt(await closedAddress()), never)).rejects.toThrow('ECONNREFUSED')
  })

  it('ends with its signal where there is no answer', async () => {
    const stop = new AbortController()
    await using server = await httpServer(() => stop.abort())
    await expect(httpCheck('/')(endpointAt(server.address), stop.signal)).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('puts out an endpoint that says so, of real ones', async () => {
    await using well = await httpServer((_, response) => response.end())
    await using sick = await httpServer((_, response) => response.writeHead(500).end())
    await using balancer = createBalancer(staticEndpoints([well, sick].map(({ address }) => ({ address }))), {
      healthCheck: { check: httpCheck('/'), intervalMs: 10 },
    })
    const health = () => balancer.stats().endpoints.map((it) => it.health)
    await vi.waitFor(() => expect(health()).toEqual(['in', 'out']), { timeout: 20_000 })
  })

  it('can be had of the proxy, with a path', async () => {
    await expect(startProxy(['--endpoints', 'a:1', '--check', 'health'], {})).rejects.toThrow(
      'path must begin with a slash, received "health"',
    )
    const proxy = await startProxy(['--endpoints', 'a:1', '--check', '/health', '--listen', '127.0.0.1:0'], {})
    await proxy.close()
  })
})
