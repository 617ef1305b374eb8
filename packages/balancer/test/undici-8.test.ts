import { createBalancer, staticEndpoints } from '@headrace/balancer'
import { balancedDispatcher } from '@headrace/balancer/undici'
import { request, fetch as undiciFetch } from 'undici'
import { Agent } from 'undici-8'
import { expect, it, vi } from 'vitest'
import { closedAddress, httpServer } from './http-servers.ts'

vi.mock('undici', () => import('undici-8'))

it('is undici 8 that is tried here', async () => {
  const { getGlobalDispatcher } = await import('undici')
  expect(getGlobalDispatcher()).toBeInstanceOf(Agent)
})

it('a balanced dispatcher works with the fetch of Node, with that of undici 8, with its request, and with a body', async () => {
  await using server = await httpServer((incoming, response) => {
    response.setHeader('X-Kind', ['one', 'two'])
    incoming.pipe(response)
  })
  const balancer = createBalancer(staticEndpoints([{ address: server.address }]))
  const dispatcher = balancedDispatcher(balancer)
  const init = { method: 'POST', body: 'order', dispatcher }
  const ofNode = await fetch('http://shop/', init as unknown as RequestInit)
  expect([await ofNode.text(), ofNode.headers.get('x-kind')]).toEqual(['order', 'one, two'])
  expect(await (await undiciFetch('http://shop/', init)).text()).toBe('order')
  const { body, statusCode } = await request('http://shop/', { method: 'POST', body: 'order', dispatcher })
  expect([statusCode, await body.text()]).toEqual([200, 'order'])
  expect(balancer.stats().endpoints[0]).toMatchObject({ succeeded: 3, failed: 0, inFlight: 0 })
  await dispatcher.close()
})

it('and goes elsewhere when nobody listens, for the fetch of Node too', async () => {
  await using server = await httpServer((_, response) => response.end('here'))
  const addresses = [await closedAddress(), server.address]
  const balancer = createBalancer(staticEndpoints(addresses.map((address) => ({ address }))))
  const dispatcher = balancedDispatcher(balancer)
  for (let turn = 0; turn < 4; turn++) {
    const response = await fetch('http://shop/', { dispatcher } as unknown as RequestInit)
    expect(await response.text()).toBe('here')
  }
  await dispatcher.close()
})

it('and ends a fetch of Node with its reason where there is nobody', async () => {
  const dispatcher = balancedDispatcher(createBalancer(staticEndpoints([])))
  await expect(fetch('http://shop/', { dispatcher } as unknown as RequestInit)).rejects.toMatchObject({
    cause: { code: 'UNAVAILABLE' },
  })
  await dispatcher.close()
})
