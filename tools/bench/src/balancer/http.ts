import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBalancer, leastLoaded, little, type Policy, staticEndpoints } from '@headrace/balancer'
import { balancedDispatcher } from '@headrace/balancer/undici'
import { Agent, BalancedPool, type Dispatcher, request } from 'undici'
import type { BenchCase, Contestant } from '../bench.ts'
import { closedLoop } from '../closed-loop.ts'

const program = fileURLToPath(new URL('http-server.ts', import.meta.url))
const callers = 24

/** Starts a server process for each delay, runs `use` with their addresses, and ends them. */
async function withServers<T>(delaysMs: readonly number[], use: (addresses: string[]) => Promise<T>): Promise<T> {
  const children: ChildProcess[] = []
  try {
    const ports = delaysMs.map(async (delayMs) => {
      const child = fork(program, [`${delayMs}`])
      children.push(child)
      const [port] = (await once(child, 'message')) as [number]
      return `127.0.0.1:${port}`
    })
    return await use(await Promise.all(ports))
  } finally {
    for (const child of children) child.disconnect()
  }
}

/** Requests of 24 callers, each with one after the other. A 500 counts as a failure and as answered. */
const through =
  (delaysMs: readonly number[], dispatcherTo: (addresses: string[]) => Dispatcher): Contestant =>
  (context) =>
    withServers(delaysMs, async (addresses) => {
      const dispatcher = dispatcherTo(addresses)
      let calls = 0
      let failures = 0
      const call = async () => {
        calls++
        const { statusCode, body } = await request(`http://${addresses[0]}/`, { dispatcher })
        await body.dump()
        if (statusCode >= 500) failures++
      }
      try {
        const { answeredPerSec, p50Ms, p99Ms } = await closedLoop(context, { callers, call })
        return { answeredPerSec, p50Ms, p99Ms, failedPercent: (100 * failures) / calls }
      } finally {
        await dispatcher.destroy()
      }
    })

const balanced = (policy: Policy) => (addresses: string[]) =>
  balancedDispatcher(
    createBalancer(staticEndpoints(addresses.map((address) => ({ address }))), { policy }),
    new Agent(),
  )

const pooled = (addresses: string[]) => new BalancedPool(addresses.map((address) => `http://${address}`))

const httpCase = (name: string, delaysMs: readonly number[]): BenchCase => ({
  name,
  metrics: { answeredPerSec: '1/s', p50Ms: 'ms', p99Ms: 'ms', failedPercent: '%' },
  ours: through(delaysMs, balanced(little())),
  peers: {
    'undici BalancedPool': through(delaysMs, pooled),
    'least loaded': through(delaysMs, balanced(leastLoaded())),
  },
})

export const httpCases: readonly BenchCase[] = [
  httpCase('HTTP, eight processes that are alike', [5, 5, 5, 5, 5, 5, 5, 5]),
  httpCase('HTTP, one of eight 20 times slower', [5, 5, 5, 5, 5, 5, 5, 100]),
  httpCase('HTTP, one of eight fails at once', [5, 5, 5, 5, 5, 5, 5, 0]),
]
