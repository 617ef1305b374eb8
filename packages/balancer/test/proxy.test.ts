import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createBalancer, roundRobin, staticEndpoints } from '@headrace/balancer'
import { startProxy } from '@headrace/balancer/cli'
import { type BalancedProxyOptions, balancedProxy } from '@headrace/balancer/proxy'
import { seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'
import { closedAddress, httpServer } from './http-servers.ts'

async function proxyTo(addresses: string[], options: BalancedProxyOptions = {}) {
  const balancer = createBalancer(staticEndpoints(addresses.map((address) => ({ address }))), {
    policy: roundRobin(),
    random: seededRandom(1),
    ejection: false,
  })
  const proxy = await httpServer(balancedProxy(balancer, options))
  const totals = () => {
    const { endpoints } = balancer.stats()
    const sum = (of: (it: (typeof endpoints)[number]) => number) => endpoints.reduce((total, it) => total + of(it), 0)
    return [sum((it) => it.succeeded), sum((it) => it.failed), sum((it) => it.ignored), sum((it) => it.inFlight)]
  }
  return { url: `http://${proxy.address}`, totals, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() }
}

describe('the proxy', () => {
  it('passes method, path, headers and body on, and the answer back', async () => {
    await using backend = await httpServer(async (incoming, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const { method, url, headers } = incoming
      response.writeHead(201, { 'X-Back': 'yes' })
      response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }))
    })
    await using proxy = await proxyTo([backend.address])
    const response = await fetch(`${proxy.url}/orders?sku=42`, {
      method: 'PUT',
      body: 'one seat',
      headers: { 'X-Id': '7', 'X-Forwarded-For': '10.0.0.9' },
    })
    expect([response.status, response.headers.get('x-back')]).toEqual([201, 'yes'])
    const seen = (await response.json()) as { headers: Record<string, string> }
    expect(seen).toMatchObject({ method: 'PUT', url: '/orders?sku=42', body: 'one seat' })
    expect(seen.headers).toMatchObject({ 'x-id': '7', 'x-forwarded-for': '10.0.0.9, 127.0.0.1' })
    expect(proxy.totals()).toEqual([1, 0, 0, 0])
  })

  it('goes elsewhere with the whole body where nobody listens', async () => {
    await using backend = await httpServer((incoming, response) => void incoming.pipe(response))
    await using proxy = await proxyTo([await closedAddress(), backend.address])
    const body = 'x'.repeat(1_000_000)
    for (let turn = 0; turn < 4; turn++) {
      expect((await (await fetch(proxy.url, { method: 'POST', body })).text()).length).toBe(body.length)
    }
    expect(proxy.totals()).toEqual([4, 2, 0, 0])
  })

  it('passes a 500 on and holds it against the endpoint', async () => {
    await using backend = await httpServer((_, response) => response.writeHead(500).end('sorry'))
    await using proxy = await proxyTo([backend.address])
    const response = await fetch(proxy.url)
    expect([response.status, await response.text()]).toEqual([500, 'sorry'])
    await expect.poll(proxy.totals).toEqual([0, 1, 0, 0])
  })

  it('answers 503 where there is nobody, 502 for a broken endpoint and 504 at its deadline', async () => {
    await using nobody = await proxyTo([])
    const busy = await fetch(nobody.url)
    expect([busy.status, busy.headers.get('retry-after')]).toEqual([503, '1'])
    await using rude = await httpServer((incoming) => void incoming.socket.destroy())
    await using broken = await proxyTo([rude.address])
    expect((await fetch(broken.url)).status).toBe(502)
    await using silent = await httpServer(() => {})
    await using slow = await proxyTo([silent.address], { deadlineMs: 50 })
    expect((await fetch(slow.url)).status).toBe(504)
  })

  it('breaks an answer off where its endpoint breaks it off', async () => {
    await using backend = await httpServer((_, response) => {
      response.write('half', () => response.destroy())
    })
    await using proxy = await proxyTo([backend.address])
    await expect(fetch(proxy.url).then((response) => response.text())).rejects.toThrow()
    await expect.poll(proxy.totals).toEqual([0, 1, 0, 0])
  })

  it('stops working for a caller who has gone, and blames nobody', async () => {
    let closed = false
    let arrived = () => {}
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve
    })
    await using backend = await httpServer((incoming) => {
      incoming.socket.once('close', () => {
        closed = true
      })
      arrived()
    })
    await using proxy = await proxyTo([backend.address])
    const caller = new AbortController()
    const response = fetch(proxy.url, { signal: caller.signal })
    await arrival
    caller.abort()
    await expect(response).rejects.toThrow()
    await expect.poll(proxy.totals).toEqual([0, 0, 1, 0])
    await expect.poll(() => closed).toBe(true)
  })

  it('keeps what is about one connection to itself', async () => {
    let seen: Record<string, unknown> = {}
    await using backend = await httpServer((incoming, response) => {
      seen = incoming.headers
      response.writeHead(200, { Connection: 'close, X-Private', 'X-Private': '1', 'X-Public': '2' }).end()
    })
    await using proxy = await proxyTo([backend.address])
    const response = await fetch(proxy.url)
    expect(response.headers.get('x-private')).toBeNull()
    expect(response.headers.get('x-public')).toBe('2')
    expect(seen['proxy-connection']).toBeUndefined()
  })
})

describe('headrace-balance', () => {
  it('listens before the endpoints it was given, until it is closed', async () => {
    await using backend = await httpServer((_, response) => response.end('hello'))
    const proxy = await startProxy(['--endpoints', backend.address, '--listen', '127.0.0.1:0'])
    const { port } = proxy.server.address() as { port: number }
    expect(await (await fetch(`http://127.0.0.1:${port}`)).text()).toBe('hello')
    await proxy.close()
    await expect(fetch(`http://127.0.0.1:${port}`)).rejects.toThrow()
  })

  it.each([
    [[], 'give one of --endpoints, --service and --dns'],
    [['--endpoints', 'a:1', '--service', 'b'], 'give one of'],
    [['--endpoints', 'a:1', '--listen', 'port'], '--listen must have a port from 0 to 65535, received "port"'],
    [['--dns', 'shop:x'], '--dns must have a port'],
    [['--service', 'shop', '--consul', 'ftp://x'], 'consul.url must be an http or https URL'],
    [['--nonsense'], 'nonsense'],
  ])('refuses %j', async (args, message) => {
    await expect(startProxy(args, {})).rejects.toThrow(message)
  })

  it('prints what is wrong and how it is used, and ends with code 2', async () => {
    const run = promisify(execFile)
    const file = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
    const failed = await run(process.execPath, ['--conditions=@headrace/source', file]).catch((error) => error)
    expect(failed.code).toBe(2)
    expect(failed.stderr).toMatch(/^give one of --endpoints[\s\S]*--listen/)
    const { stdout } = await run(process.execPath, ['--conditions=@headrace/source', file, '--help'])
    expect(stdout).toMatch(/^headrace-balance/)
  })

  it('says that its port is taken', async () => {
    await using taken = await httpServer(() => {})
    await expect(startProxy(['--endpoints', 'a:1', '--listen', taken.address])).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })
})
