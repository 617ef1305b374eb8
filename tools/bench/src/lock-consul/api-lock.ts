import http from 'node:http'

/**
 * The algorithm of Consul's `api/lock.go` over the same kind of connections as ours: everybody contends for one key, by a
 * session of their own process. Without its monitor, which would cost it two more requests for each acquisition.
 */
export interface ApiLocks {
  withLock(key: string, work: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

interface Pair {
  readonly Session?: string
}

const waitMs = 15_000

/** @param sleepMs what it sleeps where it could not acquire a key that nobody has, which after a race is a mistake. */
export async function openApiLocks(url: string, sleepMs = 5_000): Promise<ApiLocks> {
  const { hostname, port } = new URL(url)
  const agent = new http.Agent({ keepAlive: true })
  const send = (method: string, path: string, body = '') =>
    new Promise<{ index: string; text: string; status: number }>((resolve, reject) => {
      const request = http.request({ hostname, port, method, path: `/v1${path}`, agent }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => {
          resolve({ index: String(response.headers['x-consul-index'] ?? 0), text, status: response.statusCode ?? 0 })
        })
      })
      request.on('error', reject)
      request.end(body)
    })
  const pairOf = ({ status, text }: { status: number; text: string }) =>
    status === 404 ? undefined : (JSON.parse(text) as Pair[])[0]

  const made = await send('PUT', '/session/create', JSON.stringify({ TTL: '60s', LockDelay: '0s' }))
  const session = (JSON.parse(made.text) as { ID: string }).ID

  let closed = false
  const lock = async (path: string) => {
    let index = '0'
    for (;;) {
      if (closed) throw new Error('closed')
      const seen = await send('GET', `${path}?wait=${waitMs}ms&index=${index}`)
      if (pairOf(seen)?.Session) {
        index = seen.index
        continue
      }
      if ((await send('PUT', `${path}?acquire=${session}`, 'held')).text === 'true') return
      const after = await send('GET', path)
      if (pairOf(after)?.Session) index = after.index
      else await new Promise((resolve) => setTimeout(resolve, sleepMs))
    }
  }
  /** Its sessions take a key again that they have: who shares one needs a mutex in front, as in Go. */
  const turns = new Map<string, Promise<void>>()

  return {
    async withLock(key, work) {
      const path = `/kv/bench/${key}`
      const before = turns.get(key) ?? Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      turns.set(key, promise)
      await before
      try {
        await lock(path)
        await work()
        await send('PUT', `${path}?release=${session}`)
      } finally {
        resolve()
      }
    },
    async close() {
      closed = true
      await send('PUT', `/session/destroy/${session}`)
      agent.destroy()
    },
  }
}
