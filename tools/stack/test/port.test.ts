import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { freePort } from '../src/port.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

test('a port that is listened to is passed over', async () => {
  const taken = createServer()
  vi.spyOn(Math, 'random').mockReturnValueOnce(0.25).mockReturnValueOnce(0.25).mockReturnValueOnce(0.75)
  const first = await freePort()
  await once(taken.listen(first, '127.0.0.1'), 'listening')
  const second = await freePort()
  taken.close()
  expect(second - first).toBe(10_000)
})

test('ports are below those that outgoing connections are given', async () => {
  vi.spyOn(Math, 'random').mockReturnValueOnce(0.999_99)
  expect(await freePort()).toBeLessThan(32_768)
})
