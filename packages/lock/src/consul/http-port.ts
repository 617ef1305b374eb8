import http from 'node:http'
import https from 'node:https'
import {
  type ConsulPort,
  ConsulRefusal,
  entriesOf,
  envelope,
  type Outcome,
  onlyReads,
  sessionSettings,
} from './port.ts'

interface Answer {
  readonly status: number
  readonly index: number
  readonly text: string
}

/** Consul's HTTP interface over connections that stay open. */
export function httpPort(url: string, token: string | undefined): ConsulPort {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (!base || !/^https?:$/.test(base.protocol))
    throw new TypeError('consul must be a client of the npm package consul, or the http(s) URL of an agent')
  const transport = base.protocol === 'https:' ? https : http
  // An agent of Consul takes 200 connections from one address; idle ones count.
  const agent = new transport.Agent({ keepAlive: true, maxFreeSockets: 16 })
  const path = `${base.pathname.replace(/\/+$/, '')}/v1`
  const headers = token === undefined ? {} : { 'x-consul-token': token }

  const send = (method: string, target: string, signal: AbortSignal, content?: unknown) =>
    new Promise<Answer>((resolve, reject) => {
      const body = content === undefined ? '' : JSON.stringify(content)
      const options = {
        protocol: base.protocol,
        hostname: base.hostname.replace(/^\[|\]$/g, ''),
        port: base.port,
        path: path + target,
        method,
        agent,
        headers: { ...headers, ...(method === 'PUT' && { 'content-length': Buffer.byteLength(body) }) },
      }
      const request = transport.request(options, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          signal.removeEventListener('abort', abort)
          const index = Number(response.headers['x-consul-index'] ?? 0)
          resolve({ status: response.statusCode!, index, text: Buffer.concat(chunks).toString() })
        })
      })
      const abort = () => request.destroy(new Error('the request was given up'))
      request.on('error', (error) => {
        signal.removeEventListener('abort', abort)
        reject(error)
      })
      signal.addEventListener('abort', abort, { once: true })
      request.end(body)
    })
  const expectOk = ({ status, text }: Answer) => {
    if (status !== 200) throw new ConsulRefusal(status, text)
    return text
  }

  return {
    async transact(operations, signal) {
      const target = onlyReads(operations) ? '/txn?consistent' : '/txn'
      return entriesOf(JSON.parse(expectOk(await send('PUT', target, signal, envelope(operations)))) as Outcome)
    },
    async createSession(name, ttlMs, signal) {
      const { ttl, behavior, lockDelay, checks } = sessionSettings(name, ttlMs)
      const content = { Name: name, TTL: ttl, Behavior: behavior, LockDelay: lockDelay, Checks: checks }
      const text = expectOk(await send('PUT', '/session/create', signal, content))
      return (JSON.parse(text) as { ID: string }).ID
    },
    async renewSession(id, signal) {
      const answer = await send('PUT', `/session/renew/${id}`, signal)
      if (answer.status === 404) return false
      expectOk(answer)
      return true
    },
    async destroySession(id, signal) {
      expectOk(await send('PUT', `/session/destroy/${id}`, signal))
    },
    async awaitChange({ name, recurse, index }, waitMs, signal) {
      const target = `/kv/${name.split('/').map(encodeURIComponent).join('/')}?index=${index}&wait=${waitMs}ms`
      const answer = await send('GET', recurse ? `${target}&keys` : target, signal)
      if (answer.status !== 404) expectOk(answer)
      return answer.index
    },
    rest: () => agent.destroy(),
  }
}
