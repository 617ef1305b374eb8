import type { Snapshot } from '@headrace/balancer'
import { type ConsulDiscoveryOptions, consulDiscovery, register } from '@headrace/balancer/consul'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

interface Reply {
  readonly status?: number
  readonly index?: number | string
  readonly body?: unknown
  /** Instead of JSON. */
  readonly text?: string
}

const entry = (port: number, more: { Service?: object; Node?: object; Checks?: object[] } = {}) => ({
  Node: { Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1', ...more.Node },
  Service: { ID: `s${port}`, Address: '', Port: port, ...more.Service },
  Checks: more.Checks ?? [{ Status: 'passing' }],
})

/** An agent that answers what a test tells it to; without an answer it is silent until the request is given up. */
function agent(options: ConsulDiscoveryOptions = {}) {
  const clock = manualClock()
  const asked: URL[] = []
  const replies: (Reply | Error)[] = []
  let serve = () => {}
  const fetch = (async (input: URL, { signal }: { signal: AbortSignal }) => {
    asked.push(input)
    while (replies.length === 0) {
      await new Promise<void>((resolve, reject) => {
        serve = resolve
        signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
      })
    }
    const reply = replies.shift()!
    if (reply instanceof Error) throw reply
    const { status = 200, index = 1, body, text = JSON.stringify(body) } = reply
    return new Response(text, { status, headers: { 'X-Consul-Index': String(index) } })
  }) as unknown as typeof globalThis.fetch
  const snapshots: Snapshot[] = []
  const stop = new AbortController()
  const discovery = consulDiscovery({ url: 'http://consul', fetch }, 'shop', {
    clock,
    random: seededRandom(1),
    ...options,
  })
  const run = (async () => {
    for await (const snapshot of discovery.watch(stop.signal)) snapshots.push(snapshot)
  })()
  return {
    clock,
    asked,
    snapshots,
    async answer(...next: (Reply | Error)[]) {
      replies.push(...next)
      serve()
      await clock.settle()
    },
    async stop() {
      stop.abort()
      await run
      expect(clock.pending).toBe(0)
    },
    ports: () => snapshots.map(({ endpoints }) => endpoints.map(({ address }) => address.split(':').at(-1)).join(' ')),
    states: () => snapshots.map(({ state }) => state),
  }
}

describe('consul discovery', () => {
  it('asks from index 0 first, and then for what comes after the last index', async () => {
    const it = agent({ waitMs: 5_000 })
    await it.answer({ index: 7, body: [entry(1)] })
    await it.clock.advance(50)
    expect(it.asked.map((url) => url.searchParams.get('index'))).toEqual(['0', '7'])
    expect(it.asked[1]!.pathname).toBe('/v1/health/service/shop')
    expect(it.asked[1]!.searchParams.get('wait')).toBe('5000ms')
    await it.stop()
  })

  it.each([
    ['goes back', 3],
    ['is missing', 'none'],
    ['is 0', 0],
  ])('starts again from 0 when the index %s', async (_, index) => {
    const it = agent()
    await it.answer({ index: 43, body: [entry(1)] })
    await it.clock.advance(50)
    await it.answer({ index, body: [entry(2)] })
    await it.clock.advance(50)
    expect(it.asked.map((url) => url.searchParams.get('index'))).toEqual(['0', '43', '0'])
    expect(it.ports()).toEqual(['1', '2'])
    await it.stop()
  })

  it.each<[string, Reply | Error]>([
    ['refuses the connection', new Error('ECONNREFUSED')],
    ['has no leader', { status: 500, text: 'No cluster leader' }],
    ['has too much to do', { status: 429, text: '' }],
    ['forbids it', { status: 403, text: 'ACL' }],
    ['sends what is no JSON', { text: '<html>' }],
    ['sends no list', { body: { error: 1 } }],
    ['sends a list of something else', { body: [{ Node: 'x' }] }],
  ])('keeps the last list while the agent %s, and asks from 0 when it is back', async (_, trouble) => {
    const it = agent()
    await it.answer({ index: 9, body: [entry(1)] })
    await it.clock.advance(50)
    await it.answer(trouble, trouble)
    await it.clock.advance(60)
    await it.answer({ index: 2, body: [entry(1)] })
    await it.clock.advance(1_000)
    expect(it.states()).toEqual(['fresh', 'stale', 'fresh'])
    expect(it.ports()).toEqual(['1', '1', '1'])
    expect(it.snapshots[1]!.error).toMatchObject({ code: expect.stringMatching(/UNAVAILABLE|REJECTED/) })
    expect(it.asked.slice(2).every((url) => url.searchParams.get('index') !== '9')).toBe(true)
    await it.stop()
  })

  it('takes silence past the wait for an outage', async () => {
    const it = agent({ waitMs: 8_000 })
    await it.answer({ index: 9, body: [entry(1)] })
    // 8 s, a sixteenth of it that Consul may add, and 2 s; the pause between two questions before it.
    await it.clock.advance(50 + 10_499)
    expect(it.states()).toEqual(['fresh'])
    await it.clock.advance(2)
    expect(it.states()).toEqual(['fresh', 'stale'])
    await it.stop()
  })

  it('asks less and less often during a long outage', async () => {
    const it = agent()
    const down = new Error('ECONNREFUSED')
    await it.answer(...Array.from({ length: 2_000 }, () => down))
    await it.clock.advance(1_000)
    const atFirst = it.asked.length
    expect(atFirst).toBeGreaterThan(20)
    await it.clock.advance(600_000)
    expect(it.asked.length).toBeLessThan(500)
    expect(it.states()).toEqual(['stale'])
    await it.stop()
  })

  it('does not believe an empty list that does not last', async () => {
    const it = agent({ emptyAfterMs: 2_000 })
    await it.answer({ index: 5, body: [entry(1)] })
    await it.clock.advance(50)
    await it.answer({ index: 6, body: [] })
    await it.clock.advance(50)
    expect(it.asked.at(-1)!.searchParams.get('wait')).toBe('1950ms')
    await it.answer({ index: 7, body: [entry(1)] })
    await it.clock.advance(50)
    expect(it.states()).toEqual(['fresh'])
    await it.stop()
  })

  it('believes one that does', async () => {
    const it = agent({ emptyAfterMs: 2_000 })
    await it.answer({ index: 5, body: [entry(1)] })
    await it.clock.advance(50)
    await it.answer({ index: 6, body: [] })
    await it.clock.advance(2_000)
    await it.answer({ index: 6, body: [] })
    expect(it.states()).toEqual(['fresh', 'confirmed-empty'])
    await it.stop()
  })

  it('asks at most twenty times a second, however fast the list changes', async () => {
    const it = agent()
    await it.answer(...Array.from({ length: 500 }, (_, change) => ({ index: change + 1, body: [entry(change + 1)] })))
    await it.clock.advance(5_000)
    expect(it.asked.length).toBeLessThanOrEqual(102)
    expect(it.asked.length).toBeGreaterThan(90)
    await it.stop()
  })

  it('is silent about what changes nothing, and keeps the endpoints that stay', async () => {
    const it = agent()
    await it.answer({ index: 1, body: [entry(1), entry(2)] })
    await it.clock.advance(50)
    await it.answer({ index: 2, body: [entry(2), entry(1)] })
    await it.clock.advance(50)
    await it.answer({ index: 3, body: [entry(2), entry(1), entry(3)] })
    expect(it.ports()).toEqual(['1 2', '1 2 3'])
    expect(it.snapshots[1]!.endpoints[0]).toBe(it.snapshots[0]!.endpoints[0])
    await it.stop()
  })

  it('understands addresses of services and nodes, IPv6, weights and checks', async () => {
    const it = agent({ tag: 'blue', datacenter: 'dc2' })
    await it.answer({
      body: [
        entry(1),
        entry(2, { Service: { Address: '10.9.9.9', Weights: { Passing: 4, Warning: 2 }, Tags: ['blue'] } }),
        entry(3, { Node: { Address: 'fe80::1' } }),
        entry(4, {
          Service: { Weights: { Passing: 4, Warning: 2 } },
          Checks: [{ Status: 'passing' }, { Status: 'warning' }],
        }),
        entry(5, { Checks: [{ Status: 'passing' }, { Status: 'critical' }] }),
        entry(6, { Checks: [{ Status: 'maintenance' }] }),
      ],
    })
    expect(it.snapshots[0]!.endpoints.map(({ id, address, weight }) => `${id} ${address} ${weight}`)).toEqual([
      'n1/s1 10.0.0.1:1 1',
      'n1/s2 10.9.9.9:2 4',
      'n1/s3 [fe80::1]:3 1',
      'n1/s4 10.0.0.1:4 2',
    ])
    expect(it.snapshots[0]!.endpoints[1]!.metadata).toEqual({ node: 'n1', datacenter: 'dc1', tags: ['blue'], meta: {} })
    expect(it.asked[0]!.search).toContain('tag=blue')
    expect(it.asked[0]!.search).toContain('dc=dc2')
    await it.stop()
  })

  it.each([
    [{ url: 'consul:8500' }, 'consul.url must be an http or https URL'],
    [{ url: 7 as never }, 'consul.url must be a string or a URL, received number'],
    [{ url: 'http://x', token: 7 as never }, 'consul.token must be a string'],
    [{ url: 'http://x', fetch: 7 as never }, 'consul.fetch must be a function'],
  ])('names what is wrong with %o', (consul, message) => {
    expect(() => consulDiscovery(consul, 'shop')).toThrow(message)
  })

  it('names a bad option', () => {
    const consul = { url: 'http://x' }
    expect(() => consulDiscovery(consul, '')).toThrow('service must not be empty')
    expect(() => consulDiscovery(consul, 'shop', { waitMs: 10 })).toThrow('waitMs must be from 1000')
    expect(() => consulDiscovery(consul, 'shop', { emptyAfterMs: -1 })).toThrow('emptyAfterMs must be from 0')
  })
})

describe('register', () => {
  function listener(...failing: number[]) {
    const clock = manualClock()
    const asked: string[] = []
    const fetch = (async (input: URL) => {
      const path = input.pathname.split('/').slice(4).join('/')
      asked.push(path)
      const status = path.startsWith('pass') || path.startsWith('register') ? (failing.shift() ?? 200) : 200
      return new Response(status === 404 ? 'unknown check' : '', { status })
    }) as unknown as typeof globalThis.fetch
    return { clock, asked, consul: { url: 'http://consul', fetch } }
  }
  const description = { service: 'shop', address: '10.0.0.1', port: 80 }

  it('gives a sign of life three times in a TTL, and takes the service off at the end', async () => {
    const { clock, asked, consul } = listener()
    const registration = await register(consul, description, { ttlMs: 3_000, clock })
    await clock.advance(3_000)
    expect(await registration.close()).toBe(true)
    expect(await registration.close()).toBe(true)
    expect(asked).toEqual([
      'register',
      ...Array.from({ length: 3 }, () => 'pass/service%3Ashop-10.0.0.1-80'),
      'deregister/shop-10.0.0.1-80',
    ])
    expect(clock.pending).toBe(0)
  })

  it('tries again soon after a failure, and registers again where it has been forgotten', async () => {
    const { clock, asked, consul } = listener(200, 503, 503, 404)
    const events: string[] = []
    await using _registration = await register(consul, description, {
      ttlMs: 3_000,
      clock,
      random: seededRandom(1),
      observe: ({ type }) => void events.push(type),
    })
    await clock.advance(1_200)
    expect(events).toEqual(['heartbeat-failed', 'heartbeat-failed', 'registered-again'])
    expect(asked.filter((path) => path === 'register').length).toBe(2)
  })

  it('says that it is registered again also where the answer to that was lost', async () => {
    const { clock, asked, consul } = listener(200, 404, 503, 200, 200)
    const events: string[] = []
    await using _registration = await register(consul, description, {
      ttlMs: 3_000,
      clock,
      random: seededRandom(1),
      observe: ({ type }) => void events.push(type),
    })
    await clock.advance(2_900)
    expect(events).toEqual(['heartbeat-failed', 'registered-again'])
    expect(asked.filter((path) => path === 'register').length).toBe(2)
  })

  it('throws where the first announcement fails, and leaves nothing running', async () => {
    const { clock, consul } = listener(500)
    await expect(register(consul, description, { clock })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(clock.pending).toBe(0)
  })
})
