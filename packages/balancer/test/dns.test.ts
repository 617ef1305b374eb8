import { createBalancer, type Snapshot } from '@headrace/balancer'
import { discoveryConformance } from '@headrace/balancer/conformance'
import { type DnsDiscoveryOptions, type DnsResolver, dnsDiscovery } from '@headrace/balancer/dns'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { dnsServer } from './dns-server.ts'

describe('SRV records of a real name server', () => {
  discoveryConformance({
    test: it,
    supports: { changes: true, outages: true },
    async create() {
      const server = await dnsServer()
      let isOpen = true
      return {
        subject: {
          discovery: dnsDiscovery('shop.test', { resolver: server.resolver, refreshMs: 10, refreshMinMs: 10 }),
          async set(addresses) {
            server.zone.srv = addresses.map((address) => {
              const [name, port] = address.split(':')
              return { name: name!, port: Number(port) }
            })
          },
          async down() {
            isOpen = false
            await server.close()
          },
          async up() {
            isOpen = true
            await server.open()
          },
        },
        async close() {
          if (isOpen) await server.close()
        },
      }
    },
  })

  it('give the endpoints of the best priority, with their weights', async () => {
    const server = await dnsServer()
    server.zone.srv = [
      { name: 'a.test', port: 1, weight: 3 },
      { name: 'b.test', port: 2, weight: 0 },
      { name: 'backup.test', port: 3, priority: 2 },
    ]
    await using balancer = createBalancer(dnsDiscovery('shop.test', { resolver: server.resolver }))
    await balancer.call(() => {})
    expect(balancer.stats().endpoints.map(({ endpoint }) => [endpoint.address, endpoint.weight])).toEqual([
      ['a.test:1', 3],
      ['b.test:2', 0.1],
    ])
    await server.close()
  })

  it('and A records with a port', async () => {
    const server = await dnsServer()
    server.zone.a = ['10.0.0.2', '10.0.0.1']
    await using balancer = createBalancer(dnsDiscovery('shop.test', { resolver: server.resolver, port: 80 }))
    await balancer.call(() => {})
    expect(balancer.stats().endpoints.map(({ endpoint }) => endpoint.address)).toEqual(['10.0.0.1:80', '10.0.0.2:80'])
    await server.close()
  })
})

describe('DNS discovery', () => {
  type Answer = { readonly ips: string[]; readonly ttl?: number } | { readonly code: string } | 'silence'

  function resolving(options: DnsDiscoveryOptions, ...answers: Answer[]) {
    const clock = manualClock()
    const askedMs: number[] = []
    const resolver: DnsResolver = {
      async resolve4() {
        askedMs.push(clock.nowMs())
        const answer = answers.length > 1 ? answers.shift()! : answers[0]!
        if (answer === 'silence') return new Promise(() => {})
        if ('code' in answer) throw Object.assign(new Error(answer.code), { code: answer.code })
        return answer.ips.map((address) => ({ address, ttl: answer.ttl ?? 5, type: 'A' as const }))
      },
      async resolve6() {
        throw Object.assign(new Error('no data'), { code: 'ENODATA' })
      },
      resolveSrv: () => expect.fail('SRV was asked for'),
    }
    const stop = new AbortController()
    const snapshots: Snapshot[] = []
    const discovery = dnsDiscovery('shop.test', { resolver, port: 80, clock, random: seededRandom(1), ...options })
    const run = (async () => {
      for await (const snapshot of discovery.watch(stop.signal)) snapshots.push(snapshot)
    })()
    return {
      clock,
      askedMs,
      snapshots,
      states: () => snapshots.map(({ state }) => state),
      async stop() {
        stop.abort()
        await run
        expect(clock.pending).toBe(0)
      },
    }
  }

  it('asks again after the TTL, within its limits', async () => {
    for (const [ttl, expected] of [
      [5, 5_000],
      [0, 1_000],
      [3_600, 30_000],
    ]) {
      const it = resolving({}, { ips: ['10.0.0.1'], ttl: ttl! })
      await it.clock.advance(expected! + 1)
      expect(it.askedMs).toEqual([0, expected])
      await it.stop()
    }
  })

  it('is silent about an answer in another order', async () => {
    const it = resolving({}, { ips: ['10.0.0.1', '10.0.0.2'] }, { ips: ['10.0.0.2', '10.0.0.1'] })
    await it.clock.advance(60_000)
    expect(it.snapshots.length).toBe(1)
    await it.stop()
  })

  it('believes that a name is unknown when it has been so three times', async () => {
    const it = resolving({}, { ips: ['10.0.0.1'] }, { code: 'ENOTFOUND' })
    await it.clock.advance(5_000 + 1_000)
    expect(it.states()).toEqual(['fresh'])
    await it.clock.advance(1_000)
    expect(it.states()).toEqual(['fresh', 'confirmed-empty'])
    await it.stop()
  })

  it('keeps the list while servers fail or are silent, and goes on asking, less often', async () => {
    for (const trouble of [{ code: 'ESERVFAIL' }, 'silence'] as const) {
      const it = resolving({}, { ips: ['10.0.0.1'] }, trouble)
      await it.clock.advance(600_000)
      expect(it.states()).toEqual(['fresh', 'stale'])
      expect(it.snapshots[1]!.endpoints).toEqual(it.snapshots[0]!.endpoints)
      expect(it.snapshots[1]!.error).toBeDefined()
      expect(it.askedMs.length).toBeGreaterThan(20)
      expect(it.askedMs.length).toBeLessThan(150)
      await it.stop()
    }
  })

  it('says that it knows nothing where the first question fails', async () => {
    const it = resolving({}, { code: 'ESERVFAIL' })
    await it.clock.advance(10_000)
    expect(it.snapshots).toMatchObject([{ state: 'stale', endpoints: [] }])
    await it.stop()
  })

  it.each([
    ['name', () => dnsDiscovery(''), 'name must not be empty'],
    ['port', () => dnsDiscovery('x', { port: 0 }), 'port must be from 1 to 65535'],
    ['refreshMinMs', () => dnsDiscovery('x', { refreshMinMs: 1 }), 'refreshMinMs must be from 10'],
    ['refreshMs', () => dnsDiscovery('x', { refreshMs: 60_000 }), 'refreshMs must be from 1000 to 30000'],
    ['emptyAnswers', () => dnsDiscovery('x', { emptyAnswers: 0 }), 'emptyAnswers must be from 1'],
  ])('names a bad %s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})
