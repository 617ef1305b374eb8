import { randomUUID } from 'node:crypto'
import { consulDiscovery } from '@headrace/balancer/consul'
import { startConsul } from '@headrace/stack'
import { type Bench, type BenchContext, defineBench } from './bench.ts'
import { median } from './rows.ts'

/** Calls `seen` with the number of instances whenever that has changed, until the signal aborts. */
type Watch = (url: string, service: string, seen: (instances: number) => void, signal: AbortSignal) => Promise<void>

const ours: Watch = async (url, service, seen, signal) => {
  for await (const { endpoints } of consulDiscovery({ url }, service).watch(signal)) seen(endpoints.length)
}

/** The least that a blocking query can be: no list is kept, nothing is compared, and an error ends it. */
const raw: Watch = async (url, service, seen, signal) => {
  for (let index = '0'; !signal.aborted; ) {
    const response = await fetch(`${url}/v1/health/service/${service}?index=${index}&wait=10s`, { signal }).catch(
      () => {},
    )
    if (!response) return
    index = response.headers.get('X-Consul-Index') ?? '0'
    seen(((await response.json()) as unknown[]).length)
  }
}

async function put(url: string, path: string, body?: object): Promise<void> {
  const init = body === undefined ? { method: 'PUT' } : { method: 'PUT', body: JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, init)
  if (!response.ok) throw new Error(`${response.status} to ${path}`)
  await response.arrayBuffer()
}

const changes = 20

/** From the moment at which an instance is announced until it is seen, the median over twenty of them. */
const changesSeenBy = (watch: Watch) => async (context: BenchContext) => {
  const url = context.url('consul')
  const service = `bench-${randomUUID()}`
  const stop = new AbortController()
  let instances = -1
  let wake = () => {}
  const watching = watch(
    url,
    service,
    (count) => {
      instances = count
      wake()
    },
    stop.signal,
  )
  const until = async (count: number) => {
    while (instances !== count) {
      context.signal.throwIfAborted()
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  const times: number[] = []
  try {
    await until(0)
    for (let count = 1; count <= changes; count++) {
      // Both watch from rest, as a list that changes now and then is watched.
      await new Promise((resolve) => setTimeout(resolve, 60))
      const sentMs = performance.now()
      await put(url, '/v1/agent/service/register', {
        ID: `${service}-${count}`,
        Name: service,
        Address: '10.0.0.1',
        Port: count,
      })
      await until(count)
      times.push(performance.now() - sentMs)
    }
  } finally {
    stop.abort()
    await watching
    for (let count = 1; count <= changes; count++) await put(url, `/v1/agent/service/deregister/${service}-${count}`)
  }
  return { seenMs: median(times) }
}

/** As `raw`, but it goes on after an error, from where it was: what most clients do. */
const keepsItsIndex: Watch = async (url, service, seen, signal) => {
  for (let index = '0'; !signal.aborted; ) {
    const response = await fetch(`${url}/v1/health/service/${service}?index=${index}&wait=5s`, { signal }).catch(
      () => {},
    )
    if (response?.ok) {
      index = response.headers.get('X-Consul-Index') ?? '0'
      seen(((await response.json()) as unknown[]).length)
    } else await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/**
 * An agent of its own is killed and comes back with nothing, and two instances are announced to it. Measured from the moment at which
 * it gives them to a fresh question, asked every two milliseconds.
 */
const stateLossSeenBy =
  (watch: Watch) =>
  async ({ signal }: BenchContext) => {
    const server = await startConsul()
    const service = 'shop'
    const announce = (count: number) =>
      put(server.url, '/v1/agent/service/register', { ID: `${count}`, Name: service, Address: '10.0.0.1', Port: count })
    const poll = async (is: () => boolean | Promise<boolean>) => {
      while (!(await is())) {
        signal.throwIfAborted()
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      return performance.now()
    }
    const stop = new AbortController()
    let instances = -1
    let changedMs = 0
    const watching = watch(
      server.url,
      service,
      (count) => {
        if (count !== instances) changedMs = performance.now()
        instances = count
      },
      stop.signal,
    )
    try {
      // A high index, which the new agent does not reach for a long time.
      for (let change = 0; change < 50; change++) await put(server.url, `/v1/kv/${change}`, { change })
      await announce(1)
      await poll(() => instances === 1)
      await server.kill()
      const restarted = server.wipe!()
      const isThere = async () => {
        const answer = await fetch(`${server.url}/v1/health/service/${service}`).catch(() => {})
        return answer?.ok === true && ((await answer.json()) as unknown[]).length === 2
      }
      await poll(() =>
        announce(2)
          .then(() => announce(3))
          .then(
            () => true,
            () => false,
          ),
      )
      const thereMs = await poll(isThere)
      await poll(() => instances === 2)
      await restarted
      // A watch can be woken before the one that asks every two milliseconds: less than one cannot be told.
      return { seenMs: Math.max(1, changedMs - thereMs) }
    } finally {
      stop.abort()
      await watching
      await server.stop()
    }
  }

const bench: Bench = defineBench({
  about:
    'Consul discovery: how soon a new instance is seen, and a new list after an agent has lost its state, beside bare blocking queries.',
  runs: 5,
  servers: ['consul'],
  cases: [
    {
      name: 'a new instance is seen',
      metrics: { seenMs: 'ms' },
      ours: changesSeenBy(ours),
      peers: { 'bare blocking query': changesSeenBy(raw) },
    },
    {
      name: 'the list of an agent that has lost its state is seen',
      metrics: { seenMs: 'ms' },
      ours: stateLossSeenBy(ours),
      peers: { 'a loop that keeps its index': stateLossSeenBy(keepsItsIndex) },
    },
  ],
})

export default bench
