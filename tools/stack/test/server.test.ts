import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { answers } from '../src/probe.ts'
import { isAlive } from '../src/process-tree.ts'
import { type Place, type Plan, startServer } from '../src/server.ts'

const listen = `require('node:net').createServer((it) => it.end('hello')).listen(port, '127.0.0.1', () => console.log('listening on ' + port))`

/** A server that says hello, as a stand-in for the real ones; `script` is what it runs. */
function plan(script = listen, changes: Partial<Plan> = {}): Plan & { readonly places: Place[] } {
  const places: Place[] = []
  return {
    name: 'hello',
    portCount: 1,
    readyMs: 10_000,
    ready: /listening/,
    quitSignal: 'SIGTERM',
    url: ({ ports }) => `hello://127.0.0.1:${ports[0]}`,
    async prepare(place) {
      places.push(place)
    },
    command: ({ ports }) => ({ command: process.execPath, args: ['-e', `const port = ${ports[0]}\n${script}`] }),
    probe: ({ ports }) => answers(ports[0]!, '', (reply) => reply.toString() === 'hello'),
    ...changes,
    places,
  }
}

test('a start whose port is taken in between is repeated on another port', async () => {
  const other = createServer((socket) => socket.end('hello'))
  onTestFinished(() => {
    other.close()
  })
  const hello = plan()
  await using server = await startServer({
    ...hello,
    async prepare(place) {
      hello.places.push(place)
      if (hello.places.length === 1) await once(other.listen(place.ports[0], '127.0.0.1'), 'listening')
    },
  })
  expect(hello.places.map(({ ports }) => `hello://127.0.0.1:${ports[0]}`)).toEqual([expect.anything(), server.url])
  expect(existsSync(hello.places[0]!.folder)).toBe(false)
})

test('a server that always finds its port taken fails after five starts', async () => {
  const hello = plan(`console.error('bind: Address already in use')`)
  await expect(startServer(hello)).rejects.toThrow('Address already in use')
  expect(hello.places).toHaveLength(5)
})

test('an answer on its port is not enough without the line in its own log', async () => {
  const other = createServer((socket) => socket.end('hello'))
  onTestFinished(() => {
    other.close()
  })
  const hello = plan('setInterval(() => {}, 1_000)', { readyMs: 300 })
  const start = startServer({
    ...hello,
    async prepare({ ports }) {
      await once(other.listen(ports[0], '127.0.0.1'), 'listening')
    },
  })
  await expect(start).rejects.toThrow('hello did not start: it does not answer after 300 ms; its log ends with')
})

test('the line in its log is not enough without an answer', async () => {
  const hello = plan(`console.log('listening'); setInterval(() => {}, 1_000)`, { readyMs: 300 })
  await expect(startServer(hello)).rejects.toThrow('it does not answer after 300 ms; its log ends with\nlistening')
  expect(existsSync(hello.places[0]!.folder)).toBe(false)
})

test('a server that ends at once is reported at once, with its code and the end of its log', async () => {
  const hello = plan(`for (let line = 1; line <= 100; line++) console.log('line ' + line); process.exit(3)`)
  const error = (await startServer(hello).catch((error: Error) => error)) as Error
  expect(error.message).toMatch(
    /^hello did not start: it has ended; its log ends with\nline 62\n[\s\S]*exited with code 3$/,
  )
})

test('a command that does not exist is reported by its name', async () => {
  const hello = plan(listen, { command: () => ({ command: '/no/such/server', args: [] }) })
  await expect(startServer(hello)).rejects.toThrow('/no/such/server cannot be run')
})

test('a restart ends the server in good order', async () => {
  const script = `process.on('SIGTERM', () => { console.log('saved'); process.exit() })\n${listen}`
  await using server = await startServer(plan(script))
  await server.restart()
  expect(server.log()).toMatch(/listening on \d+\nsaved\n[\s\S]*listening on \d+\n$/)
})

test('a companion stays over kill and restart, and is stopped with the server', async () => {
  const args = ['-e', `console.log('companion ' + process.pid); setInterval(() => {}, 1_000)`]
  const server = await startServer(plan(listen, { companion: () => ({ command: process.execPath, args }) }))
  await server.kill()
  await server.restart()
  const companions = [...server.log().matchAll(/^companion (\d+)$/gm)].map((match) => Number(match[1]))
  expect(companions.map(isAlive)).toEqual([true])
  await server.stop()
  expect(companions.map(isAlive)).toEqual([false])
})

test('a server sees nothing of the environment of this process but PATH', async () => {
  process.env['HEADRACE_SECRET'] = 'leaked'
  onTestFinished(() => {
    delete process.env['HEADRACE_SECRET']
  })
  await using server = await startServer(plan(`console.log(Object.keys(process.env).sort().join())\n${listen}`))
  expect(server.log()).toContain('HOME,LC_ALL,PATH\n')
})
