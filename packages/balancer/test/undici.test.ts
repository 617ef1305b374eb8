import { type Balancer, createBalancer, rendezvous, roundRobin, staticEndpoints } from '@headrace/balancer'
import { balancedDispatcher } from '@headrace/balancer/undici'
import { seededRandom } from '@headrace/core'
import { Agent, request, fetch as undiciFetch } from 'undici'
import { describe, expect, it } from 'vitest'
import { closedAddress, httpServer } from './http-servers.ts'

const balancing = (...addresses: string[]) =>
  createBalancer(staticEndpoints(addresses.map((address) => ({ address }))), {
    policy: roundRobin(),
    random: seededRandom(1),
    ejection: false,
  })

const counts = (balancer: Balancer<unknown>) =>
  Object.fromEntries(
    balancer
      .stats()
      .endpoints.map(({ endpoint, succeeded, failed, ignored, inFlight }) => [
        endpoint.address,
        [succeeded, failed, ignored, inFlight],
      ]),
  )

describe('a balanced dispatcher', () => {
  it('sends the requests of fetch to the endpoints, whatever host they name', async () => {
    await using one = await httpServer((_, response) => response.end('one'))
    await using two = await httpServer((_, response) => response.end('two'))
    const balancer = balancing(one.address, two.address)
    const dispatcher = balancedDispatcher(balancer, new Agent())
    const texts: string[] = []
    for (let turn = 0; turn < 4; turn++) {
      texts.push(await (await undiciFetch('http://shop/orders', { dispatcher })).text())
    }
    expect(texts.sort()).toEqual(['one', 'one', 'two', 'two'])
    expect(counts(balancer)).toEqual({ [one.address]: [2, 0, 0, 0], [two.address]: [2, 0, 0, 0] })
    await dispatcher.close()
  })

  it('brings an agent of its own where none is given', async () => {
    await using server = await httpServer((_, response) => response.end('one'))
    const balancer = balancing(server.address)
    const dispatcher = balancedDispatcher(balancer)
    expect(await (await undiciFetch('http://shop/orders', { dispatcher })).text()).toBe('one')
    expect(await (await fetch('http://shop/', { dispatcher } as unknown as RequestInit)).text()).toBe('one')
    expect(counts(balancer)).toEqual({ [server.address]: [2, 0, 0, 0] })
    await dispatcher.close()
  })

  it('works with the fetch of Node, with request, and with a body', async () => {
    await using server = await httpServer((incoming, response) => {
      incoming.pipe(response)
    })
    const balancer = balancing(server.address)
    const dispatcher = balancedDispatcher(balancer, new Agent())
    const init = { method: 'POST', body: 'order', dispatcher } as unknown as RequestInit
    expect(await (await fetch('http://shop/', init)).text()).toBe('order')
    const { body, statusCode } = await request('http://shop/', { method: 'POST', body: 'order', dispatcher })
    expect([statusCode, await body.text()]).toEqual([200, 'order'])
    expect(counts(balancer)).toEqual({ [server.address]: [2, 0, 0, 0] })
    await dispatcher.close()
  })

  it('passes an answer on as it is, and holds a 500 against the endpoint', async () => {
    await using server = await httpServer((_, response) => {
      response.writeHead(500, { 'X-Why': 'broken' }).end('sorry')
    })
    const balancer = balancing(server.address)
    const dispatcher = balancedDispatcher(balancer, new Agent())
    const response = await undiciFetch('http://shop/', { dispatcher })
    expect([response.status, response.headers.get('x-why'), await response.text()]).toEqual([500, 'broken', 'sorry'])
    expect(counts(balancer)).toEqual({ [server.address]: [0, 1, 0, 0] })
    await dispatcher.close()
  })

  it('lets the application say which answers are failures', async () => {
    await using server = await httpServer((_, response) => response.writeHead(404).end())
    const balancer = balancing(server.address)
    const dispatcher = balancedDispatcher(balancer, new Agent(), { isFailure: (status) => status === 404 })
    await (await undiciFetch('http://shop/', { dispatcher })).text()
    expect(counts(balancer)).toEqual({ [server.address]: [0, 1, 0, 0] })
    await dispatcher.close()
  })

  it('goes elsewhere when nobody listens, so that no call fails', async () => {
    await using alive = await httpServer((_, response) => response.end('alive'))
    const dead = await closedAddress()
    const balancer = balancing(dead, alive.address)
    const dispatcher = balancedDispatcher(balancer, new Agent())
    for (let turn = 0; turn < 10; turn++) {
      const { body } = await request('http://shop/', { method: 'POST', body: 'order', dispatcher })
      expect(await body.text()).toBe('alive')
    }
    expect(counts(balancer)[dead]![1]).toBe(5)
    await dispatcher.close()
  })

  it('repeats what was cut off before an answer, where the method is idempotent', async () => {
    let hits = 0
    await using rude = await httpServer((incoming) => {
      hits++
      incoming.socket.destroy()
    })
    await using polite = await httpServer((_, response) => response.end('polite'))
    const balancer = balancing(rude.address, polite.address)
    const dispatcher = balancedDispatcher(balancer, new Agent())
    for (let turn = 0; turn < 4; turn++) {
      expect(await (await undiciFetch('http://shop/', { dispatcher })).text()).toBe('polite')
    }
    const before = hits
    const posts = await Promise.allSettled(
      Array.from({ length: 4 }, () => request('http://shop/', { method: 'POST', body: 'order', dispatcher })),
    )
    expect(posts.filter(({ status }) => status === 'rejected').length).toBe(hits - before)
    expect(hits - before).toBe(2)
    await dispatcher.close()
  })

  it('counts an answer as in flight until its last byte, and blames who breaks it off', async () => {
    let finish = () => {}
    await using server = await httpServer((_, response) => {
      response.write('begin')
      finish = () => response.destroy()
    })
    const balancer = balancing(server.address)
    const dispatcher = balancedDispatcher(balancer, new Agent())
    const response = await undiciFetch('http://shop/', { dispatcher })
    expect(counts(balancer)).toEqual({ [server.address]: [0, 0, 0, 1] })
    finish()
    await expect(response.text()).rejects.toThrow()
    expect(counts(balancer)).toEqual({ [server.address]: [0, 1, 0, 0] })
    await dispatcher.close()
  })

  it('blames nobody when the caller aborts', async () => {
    let arrived = () => {}
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve
    })
    await using server = await httpServer(() => arrived())
    const balancer = balancing(server.address)
    const dispatcher = balancedDispatcher(balancer, new Agent())
    const caller = new AbortController()
    const response = undiciFetch('http://shop/', { dispatcher, signal: caller.signal })
    await arrival
    caller.abort()
    await expect(response).rejects.toMatchObject({ name: 'AbortError' })
    await expect.poll(() => counts(balancer)).toEqual({ [server.address]: [0, 0, 1, 0] })
    await dispatcher.close()
  })

  it('ends at its deadline, before and in the middle of an answer', async () => {
    await using silent = await httpServer(() => {})
    await using slow = await httpServer((_, response) => void response.write('begin'))
    for (const { address } of [silent, slow]) {
      const balancer = balancing(address)
      const dispatcher = balancedDispatcher(balancer, new Agent(), { deadlineMs: 50 })
      const answer = (async () => await (await undiciFetch('http://shop/', { dispatcher })).text())()
      await expect(answer).rejects.toThrow()
      expect(counts(balancer)).toEqual({ [address]: [0, 1, 0, 0] })
      await dispatcher.close()
    }
  })

  it('says why where there is nobody', async () => {
    const dispatcher = balancedDispatcher(balancing(), new Agent())
    await expect(undiciFetch('http://shop/', { dispatcher })).rejects.toMatchObject({ cause: { code: 'UNAVAILABLE' } })
    await dispatcher.close()
  })

  it('sends a key to its home', async () => {
    await using one = await httpServer((_, response) => response.end())
    await using two = await httpServer((_, response) => response.end())
    const balancer = createBalancer(staticEndpoints([{ address: one.address }, { address: two.address }]), {
      policy: rendezvous(),
    })
    const dispatcher = balancedDispatcher(balancer, new Agent(), { key: ({ path }) => path })
    for (let turn = 0; turn < 6; turn++) await (await undiciFetch('http://shop/sku-42', { dispatcher })).text()
    expect(
      Object.values(counts(balancer))
        .map(([succeeded]) => succeeded)
        .sort(),
    ).toEqual([0, 6])
    await dispatcher.close()
  })
})
