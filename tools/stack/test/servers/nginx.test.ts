import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startNginx } from '@headrace/stack'
import { afterEach, expect, test, vi } from 'vitest'

const open: Server[] = []

afterEach(() => {
  for (const server of open.splice(0)) server.close()
})

async function answering(text: string): Promise<string> {
  const server = createServer((_, response) => response.end(text))
  open.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('nginx passes requests on, and to others when it is told to', { timeout: 120_000 }, async () => {
  const [one, other] = [await answering('one'), await answering('other')]
  await using nginx = await startNginx([one])
  const answer = async () => (await fetch(nginx.url)).text()
  expect(await answer()).toBe('one')
  await nginx.use([other])
  await vi.waitFor(async () => expect(await answer()).toBe('other'), { timeout: 10_000 })
})
