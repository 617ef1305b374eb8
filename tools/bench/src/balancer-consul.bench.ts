import { randomUUID } from 'node:crypto'
import { consulDiscovery } from '@headrace/balancer/consul'
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

const bench: Bench = defineBench({
  about: 'Consul discovery: how soon a new instance is seen, beside a bare blocking query to the same agent.',
  runs: 5,
  servers: ['consul'],
  cases: [
    {
      name: 'a new instance is seen',
      metrics: { seenMs: 'ms' },
      ours: changesSeenBy(ours),
      peers: { 'bare blocking query': changesSeenBy(raw) },
    },
  ],
})

export default bench
