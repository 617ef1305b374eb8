import { type Balancer, type BalancerEvent, createBalancer, type Discovery } from '@headrace/balancer'
import { discoveryConformance } from '@headrace/balancer/conformance'
import { consulDiscovery, register } from '@headrace/balancer/consul'
import { type Server, serverUrl, startConsul } from '@headrace/stack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { announce, freshService, put, until, withdraw } from './consul-setup.ts'

const url = serverUrl('consul')

/** Where work can go at present. A pick that is not done would be waited for at the end. */
const addresses = (balancer: Balancer<unknown>) =>
  balancer.explain().endpoints.flatMap(({ endpoint, eligible }) => (eligible ? [endpoint.address] : []))

describe('consul discovery, on an agent of its own', () => {
  let server: Server
  beforeAll(async () => {
    server = await startConsul()
  })
  afterAll(() => server.stop())

  discoveryConformance({
    test: it,
    supports: { changes: true, outages: true },
    create() {
      const service = freshService()
      let present: readonly string[] = []
      const inner = () => consulDiscovery({ url: server.url }, service, { waitMs: 1_000, emptyAfterMs: 500 })
      const discovery: Discovery = { watch: (signal) => inner().watch(signal) }
      return {
        subject: {
          discovery,
          async set(addresses) {
            for (const address of present)
              if (!addresses.includes(address)) await withdraw(server.url, service, address)
            for (const address of addresses) await announce(server.url, service, address)
            present = addresses
          },
          down: () => server.kill(),
          up: () => server.restart(),
        },
      }
    },
  })

  it('keeps the endpoints through an outage without a single failed call', async () => {
    const service = freshService()
    await announce(server.url, service, '127.0.0.1:7001')
    const events: BalancerEvent[] = []
    await using balancer = createBalancer(consulDiscovery({ url: server.url }, service), {
      observe: (event) => void events.push(event),
    })
    expect(await balancer.call(({ address }) => address)).toBe('127.0.0.1:7001')
    await server.kill()
    await until(() => balancer.stats().state === 'stale')
    for (let call = 0; call < 200; call++) expect(await balancer.call(({ address }) => address)).toBe('127.0.0.1:7001')
    expect(events.filter(({ type }) => type === 'discovery-failed').length).toBe(1)
    await server.restart()
    await until(() => balancer.stats().state === 'fresh')
    // The agent gives empty lists while it comes back; none of them got through.
    expect(events.filter(({ type }) => type === 'endpoints').length).toBe(1)
  })

  it('sees a new endpoint soon after an agent that has lost everything is back', async () => {
    const service = freshService()
    // A high index, so that waiting for it on the new agent would take for ever.
    for (let change = 0; change < 30; change++) await put(server.url, `/v1/kv/${service}`, change)
    await announce(server.url, service, '127.0.0.1:7001')
    await using balancer = createBalancer(consulDiscovery({ url: server.url }, service))
    await balancer.call(() => {})
    await server.kill()
    await server.wipe()
    await announce(server.url, service, '127.0.0.1:7002')
    const sinceMs = performance.now()
    await until(() => addresses(balancer).includes('127.0.0.1:7002'))
    // The bench measures it; a second keeps a loaded machine from failing the test, and blindness takes ten.
    expect(performance.now() - sinceMs).toBeLessThan(1_000)
  })

  it('notices an agent that hangs, and the list stays', async () => {
    const service = freshService()
    await announce(server.url, service, '127.0.0.1:7001')
    await using balancer = createBalancer(consulDiscovery({ url: server.url }, service, { waitMs: 1_000 }))
    await balancer.call(() => {})
    server.pause()
    try {
      await until(() => balancer.stats().state === 'stale')
      expect(addresses(balancer)).toEqual(['127.0.0.1:7001'])
    } finally {
      server.resume()
    }
    await until(() => balancer.stats().state === 'fresh')
  })

  it('announces a service again to an agent that has lost it', async () => {
    const service = freshService()
    const events: string[] = []
    await using registration = await register(
      { url: server.url },
      { service, address: '127.0.0.1', port: 7001 },
      { ttlMs: 1_000, observe: ({ type }) => void events.push(type) },
    )
    await using balancer = createBalancer(consulDiscovery({ url: server.url }, service))
    await balancer.call(() => {})
    await server.kill()
    await until(() => events.includes('heartbeat-failed'))
    await server.wipe()
    await until(() => events.includes('registered-again'))
    await until(() => balancer.stats().state === 'fresh')
    expect(await registration.close()).toBe(true)
    await until(() => addresses(balancer).length === 0)
  })
})

describe('consul discovery', () => {
  it('takes weights, tags and metadata, and leaves out what is critical', async () => {
    const service = freshService()
    await announce(url, service, '127.0.0.1:7001', {
      Tags: ['blue'],
      Meta: { zone: 'a' },
      Weights: { Passing: 5, Warning: 2 },
    })
    await announce(url, service, '127.0.0.1:7002', {
      Weights: { Passing: 5, Warning: 2 },
      Check: { TTL: '60s', Status: 'warning' },
    })
    await announce(url, service, '127.0.0.1:7003', { Check: { TTL: '60s', Status: 'critical' } })
    await using balancer = createBalancer(consulDiscovery({ url }, service))
    await balancer.call(() => {})
    const { endpoints } = balancer.stats()
    expect(endpoints.map(({ endpoint }) => [endpoint.address, endpoint.weight])).toEqual([
      ['127.0.0.1:7001', 5],
      ['127.0.0.1:7002', 2],
    ])
    expect(endpoints[0]!.endpoint.metadata).toMatchObject({ tags: ['blue'], meta: { zone: 'a' } })
    await using blue = createBalancer(consulDiscovery({ url }, service, { tag: 'blue' }))
    await blue.call(() => {})
    expect(blue.stats().endpoints.length).toBe(1)
    for (const port of [7001, 7002, 7003]) await withdraw(url, service, `127.0.0.1:${port}`)
  })

  it('does not take the same list for a change, whatever happens to other services', async () => {
    const service = freshService()
    await announce(url, service, '127.0.0.1:7001')
    await using balancer = createBalancer(consulDiscovery({ url }, service, { waitMs: 1_000 }))
    await balancer.call(() => {})
    for (let time = 0; time < 3; time++) await announce(url, service, '127.0.0.1:7001')
    const other = freshService()
    await announce(url, other, '127.0.0.1:7009')
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(balancer.stats().epoch).toBe(1)
    await withdraw(url, service, '127.0.0.1:7001')
    await withdraw(url, other, '127.0.0.1:7009')
  })

  it('says that a service that nobody has announced is empty, once it has made sure', async () => {
    await using balancer = createBalancer(consulDiscovery({ url }, freshService(), { emptyAfterMs: 200 }))
    await expect(balancer.call(() => 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(balancer.stats().state).toBe('confirmed-empty')
  })

  it('does not let a token get into an error', async () => {
    const token = 'a-secret-token'
    const description = { service: 'x', address: '127.0.0.1', port: 1, meta: { 'not a key': '' } }
    for (const place of [url, 'http://127.0.0.1:12001']) {
      const error = await register({ url: place, token }, description).catch((reason) => reason)
      expect(error.code).toMatch(/REJECTED|UNAVAILABLE/)
      expect(`${error} ${error.cause} ${JSON.stringify(error)}`).not.toContain(token)
    }
  })
})

describe('register', () => {
  it('puts a service on the list, and takes it off at the end of the scope', async () => {
    const service = freshService()
    const others = createBalancer(consulDiscovery({ url }, service, { emptyAfterMs: 100 }))
    {
      await using registration = await register({ url }, { service, address: '127.0.0.1', port: 7001, weight: 3 })
      expect(registration.id).toBe(`${service}-127.0.0.1-7001`)
      expect(await others.call(({ address, weight }) => `${address} ${weight}`)).toBe('127.0.0.1:7001 3')
    }
    await until(() => addresses(others).length === 0)
    await others.close()
  })

  it('keeps it alive for as long as the process says so, and no longer', async () => {
    const service = freshService()
    await using others = createBalancer(consulDiscovery({ url }, service, { emptyAfterMs: 100 }))
    // A process that dies: time stands still for it after a while.
    let dead = false
    const clock = {
      nowMs: () => performance.now(),
      wallMs: () => Date.now(),
      after(ms: number, run: () => void) {
        const timer = setTimeout(() => dead || run(), ms)
        return () => clearTimeout(timer)
      },
      sleep: (ms: number) => new Promise<void>((resolve) => void setTimeout(() => dead || resolve(), ms)),
    }
    await register({ url }, { service, address: '127.0.0.1', port: 7001 }, { ttlMs: 1_000, clock })
    await others.call(() => {})
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(addresses(others).length).toBe(1)
    dead = true
    await until(() => addresses(others).length === 0)
    await put(url, `/v1/agent/service/deregister/${service}-127.0.0.1-7001`)
  })

  it.each([
    [{ port: 0 }, 'port must be from 1 to 65535'],
    [{ service: '' }, 'service must not be empty'],
    [{ weight: 1.5 }, 'weight must be an integer'],
  ])('names a bad field: %o', async (flaw, message) => {
    await expect(register({ url }, { service: 'x', address: 'a', port: 1, ...flaw })).rejects.toThrow(message)
  })
})
