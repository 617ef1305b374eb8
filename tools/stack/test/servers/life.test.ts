import { existsSync, readlinkSync } from 'node:fs'
import { type Server, startConsul, startPostgres, startRabbitmq, startRedis } from '@headrace/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAlive, processTree } from '../../src/process-tree.ts'
import { clients } from './fixtures/clients.ts'
import { listening } from './fixtures/listening.ts'

const startLimitMs = 240_000

describe.each([
  ['redis', startRedis],
  ['consul', startConsul],
  ['postgres', startPostgres],
  ['rabbitmq', startRabbitmq],
] as const)('%s', (name, start) => {
  const { write, read } = clients[name]
  let server: Server

  beforeAll(async () => {
    server = await start()
  }, startLimitMs)

  afterAll(() => server.stop(), startLimitMs)

  test('answers on its URL', async () => {
    await write(server.url, 'first')
    expect(await read(server.url)).toBe('first')
    expect(server.name).toBe(name)
    expect(server.log()).not.toBe('')
  })

  test('listens on loopback only', () => {
    const addresses = processTree(server.pid).flatMap(listening)
    expect(addresses).not.toEqual([])
    expect(addresses.filter((address) => !/^(127\.0\.0\.1|::1)$/.test(address))).toEqual([])
  })

  test('killed, it leaves no process, and comes back with its data on the same port', {
    timeout: startLimitMs,
  }, async () => {
    const { url, pid } = server
    const tree = processTree(pid)
    await write(url, 'kept')
    await server.kill()
    expect(tree.filter(isAlive)).toEqual([])
    await expect(read(url)).rejects.toThrow()
    await server.restart()
    expect(server.url).toBe(url)
    expect(server.pid).not.toBe(pid)
    expect(await read(url)).toBe('kept')
  })

  test('paused, it answers nothing, and resumed it does', { timeout: startLimitMs }, async () => {
    await write(server.url, 'held')
    server.pause()
    const answer = read(server.url)
    const quiet = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, 'no answer'))])
    server.resume()
    expect(quiet).toBe('no answer')
    expect(await answer).toBe('held')
  })

  test('wiped, it is empty', { timeout: startLimitMs }, async () => {
    const { url } = server
    await write(url, 'lost')
    await server.wipe()
    expect(server.url).toBe(url)
    expect(await read(url)).toBe(undefined)
  })

  test('stopped, it leaves no process and no file, its log can still be read, and it starts no more', async () => {
    const tree = processTree(server.pid)
    const folder = readlinkSync(`/proc/${server.pid}/cwd`)
    expect(existsSync(folder)).toBe(true)
    await server.stop()
    await server.stop()
    expect(tree.filter(isAlive)).toEqual([])
    expect(server.log()).not.toBe('')
    await expect(server.restart()).rejects.toThrow(`${name} has been stopped`)
    expect(existsSync(folder)).toBe(false)
  })
})
