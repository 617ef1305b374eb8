import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createBalancer, type Discovery, leastLoaded, little, type Policy } from '@headrace/balancer'
import { balancedDispatcher } from '@headrace/balancer/undici'
import { startNginx } from '@headrace/stack'
import { Agent, BalancedPool, type Dispatcher, request } from 'undici'
import type { BenchCase, Contestant } from '../bench.ts'
import { closedLoop } from '../closed-loop.ts'

const program = fileURLToPath(new URL('http-server.ts', import.meta.url))
const callers = 24

/** How the requests of a client get to a fleet of servers. */
interface Way {
  readonly url: string
  readonly dispatcher: Dispatcher
  /** Takes one out of the fleet and another one in. */
  replace(leaving: string, joining: string): unknown
  close(): Promise<unknown>
}

type Open = (addresses: readonly string[]) => Promise<Way>

const balanced =
  (policy: Policy): Open =>
  async (addresses) => {
    const fleet = changing(addresses)
    const balancer = createBalancer(fleet.discovery, { policy })
    const dispatcher = balancedDispatcher(balancer, new Agent())
    while (balancer.stats().endpoints.length === 0) await setImmediate()
    return {
      url: 'http://shop/',
      dispatcher,
      replace: (leaving, joining) => fleet.set(replaced(addresses, leaving, joining)),
      close: () => Promise.all([dispatcher.destroy(), balancer.close()]),
    }
  }

const pooled: Open = async (addresses) => {
  const pool = new BalancedPool(addresses.map((address) => `http://${address}`))
  return {
    url: 'http://shop/',
    dispatcher: pool,
    replace(leaving, joining) {
      pool.removeUpstream(`http://${leaving}`)
      pool.addUpstream(`http://${joining}`)
    },
    close: () => pool.destroy(),
  }
}

const proxied: Open = async (addresses) => {
  const nginx = await startNginx(addresses)
  const agent = new Agent()
  return {
    url: nginx.url,
    dispatcher: agent,
    replace: (leaving, joining) => nginx.use(replaced(addresses, leaving, joining)),
    close: () => Promise.all([agent.destroy(), nginx.stop()]),
  }
}

const replaced = (addresses: readonly string[], leaving: string, joining: string) => [
  ...addresses.filter((address) => address !== leaving),
  joining,
]

/** A discovery whose list is set from outside. */
function changing(initial: readonly string[]) {
  let addresses = initial
  let changed = Promise.withResolvers<void>()
  const discovery: Discovery = {
    async *watch(signal) {
      const aborted = once(signal, 'abort')
      while (!signal.aborted) {
        const change = changed.promise
        yield { state: 'fresh', endpoints: addresses.map((address) => ({ address })) }
        await Promise.race([change, aborted])
      }
    },
  }
  const set = (others: readonly string[]) => {
    addresses = others
    changed.resolve()
    changed = Promise.withResolvers()
  }
  return { discovery, set }
}

interface Served {
  readonly address: string
  /** Requests that it has had. */
  count(): Promise<number>
}

/** Starts a server process for each delay, runs `use` with them, and ends them. */
async function withServers<T>(delaysMs: readonly number[], use: (servers: Served[]) => Promise<T>): Promise<T> {
  const children: ChildProcess[] = []
  try {
    const servers = delaysMs.map(async (delayMs) => {
      const child = fork(program, [`${delayMs}`])
      children.push(child)
      const [port] = (await once(child, 'message')) as [number]
      const count = async () => {
        child.send('count')
        return ((await once(child, 'message')) as [number])[0]
      }
      return { address: `127.0.0.1:${port}`, count }
    })
    return await use(await Promise.all(servers))
  } finally {
    for (const child of children) if (child.connected) child.disconnect()
  }
}

/** Requests of 24 callers, each with one after the other. A 500 and a broken connection are failures; times are of both. */
const through =
  (open: Open, delaysMs: readonly number[], joiningMs?: number): Contestant =>
  (context) =>
    withServers(joiningMs === undefined ? delaysMs : [...delaysMs, joiningMs], async (servers) => {
      const addresses = servers.map(({ address }) => address)
      const way = await open(addresses.slice(0, delaysMs.length))
      const change = joiningMs === undefined ? undefined : () => way.replace(addresses[0]!, addresses.at(-1)!)
      const timer = change && setTimeout(change, context.durationMs / 2)
      let calls = 0
      let failures = 0
      const call = async () => {
        calls++
        try {
          const { statusCode, body } = await request(way.url, { dispatcher: way.dispatcher, signal: context.signal })
          await body.dump()
          if (statusCode >= 500) failures++
        } catch {
          failures++
        }
      }
      try {
        const { answeredPerSec, p50Ms, p99Ms } = await closedLoop(context, { callers, call })
        const counts = await Promise.all(servers.map(({ count }) => count()))
        const served = counts.reduce((sum, count) => sum + count, 0)
        return {
          ...{ succeededPerSec: answeredPerSec * (1 - failures / calls), p50Ms, p99Ms },
          failedPercent: (100 * failures) / calls,
          repeatedPercent: 100 * Math.max(0, served / calls - 1),
        }
      } finally {
        clearTimeout(timer)
        await way.close()
      }
    })

const httpCase = (name: string, delaysMs: readonly number[], joiningMs?: number): BenchCase => ({
  name,
  metrics: { succeededPerSec: '1/s', p50Ms: 'ms', p99Ms: 'ms', failedPercent: '%', repeatedPercent: '%' },
  ours: through(balanced(little()), delaysMs, joiningMs),
  peers: {
    'undici BalancedPool': through(pooled, delaysMs, joiningMs),
    'nginx least_conn': through(proxied, delaysMs, joiningMs),
    'least loaded': through(balanced(leastLoaded()), delaysMs, joiningMs),
  },
})

export const httpCases: readonly BenchCase[] = [
  httpCase('HTTP, eight processes that are alike', [5, 5, 5, 5, 5, 5, 5, 5]),
  httpCase('HTTP, one of eight 20 times slower', [5, 5, 5, 5, 5, 5, 5, 100]),
  httpCase('HTTP, one of eight fails at once', [5, 5, 5, 5, 5, 5, 5, 0]),
  httpCase('HTTP, one slow, one failing, one leaves as one joins', [5, 5, 5, 5, 5, 5, 100, 0], 5),
]
