import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBalancer } from '@headrace/balancer'
import { balancedDispatcher } from '@headrace/balancer/undici'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

const file = fileURLToPath(new URL('http-worker.ts', import.meta.url))

interface Worker {
  readonly address: string
  seen(): Promise<string[]>
  stop(): Promise<void>
}

async function startWorker(...args: string[]): Promise<Worker> {
  const child: ChildProcess = fork(file, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    address: `127.0.0.1:${port}`,
    async seen() {
      child.send('seen')
      const [{ seen }] = (await once(child, 'message')) as [{ seen: string[] }]
      return seen
    },
    async stop() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}

describe('before eight processes, one slow, one failing, one joining and one leaving under load', () => {
  const workers: Record<string, Worker> = {}
  const address = (name: string) => workers[name]!.address

  beforeAll(async () => {
    const kinds: [string, string[]][] = [
      ...['one', 'two', 'three', 'four', 'leaving', 'joining'].map((name): [string, string[]] => [name, ['work', '5']]),
      ['slow', ['work', '100', '1']],
      ['failing', ['fail']],
    ]
    await Promise.all(
      kinds.map(async ([name, args]) => {
        workers[name] = await startWorker(...args)
      }),
    )
  }, 30_000)

  afterAll(async () => {
    await Promise.all(Object.values(workers).map((worker) => worker.stop()))
  })

  it('every request is answered once, by one that works, and nothing is left in flight', async () => {
    const first = ['one', 'two', 'three', 'four', 'leaving', 'slow', 'failing'].map(address)
    const discovery = pushedDiscovery(fresh(...first))
    const balancer = createBalancer(discovery, { slowStartMs: 500 })
    const dispatcher = balancedDispatcher(balancer, new Agent({ connections: 64 }))
    const requests = 3_000
    const answers = new Map<string, number>()
    let failures = 0
    let next = 0
    const caller = async () => {
      while (next < requests) {
        const id = `${next++}`
        if (next === 1_000)
          discovery.push(fresh(...first.filter((it) => it !== address('leaving')), address('joining')))
        const { statusCode, body } = await request(`http://shop/${id}`, { dispatcher })
        const text = await body.text()
        if (statusCode === 200) answers.set(text, (answers.get(text) ?? 0) + 1)
        else failures++
      }
    }
    await Promise.all(Array.from({ length: 16 }, caller))

    expect(answers.size + failures).toBe(requests)
    expect(Math.max(...answers.values())).toBe(1)
    // Each ejection lets five failures through, each probe one.
    expect(failures).toBeLessThan(30)
    const seen = Object.fromEntries(
      await Promise.all(Object.entries(workers).map(async ([name, worker]) => [name, await worker.seen()] as const)),
    )
    expect(Object.values(seen).flat().length).toBe(requests)
    expect(seen['slow']!.length).toBeLessThan(requests * 0.05)
    expect(seen['joining']!.length).toBeGreaterThan(50)
    expect(Math.max(...seen['leaving']!.map(Number))).toBeLessThan(1_000 + 16)
    expect(balancer.stats().endpoints.every(({ inFlight }) => inFlight === 0)).toBe(true)
    expect(await balancer.close()).toBe(true)
    await dispatcher.close()
  }, 30_000)
})
