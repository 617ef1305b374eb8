import {
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
  type ServerResponse,
} from 'node:http'
import { pipeline } from 'node:stream/promises'
import { HeadraceError, isHeadraceError } from '@headrace/core'
import type { Balancer } from './balancer.ts'
import { outcomeOfError } from './call.ts'
import { httpAddress } from './http-address.ts'

export { httpCheck } from './http-check.ts'

export interface BalancedProxyOptions {
  /** For a whole request, all attempts and the answer included. 60 s by default. */
  readonly deadlineMs?: number | undefined
  /** Of connections to one endpoint. 256 by default. */
  readonly connectionsMax?: number | undefined
}

/**
 * Answers each HTTP request with what an endpoint of `balancer` answers. Bodies are streamed both ways. A request that could not
 * be sent goes elsewhere; one that may have arrived does not.
 * @example createServer(balancedProxy(balancer)).listen(8080)
 */
export function balancedProxy(balancer: Balancer<unknown>, options: BalancedProxyOptions = {}): RequestListener {
  const { deadlineMs = 60_000, connectionsMax = 256 } = options
  const agent = new Agent({ keepAlive: true, maxSockets: connectionsMax })

  return (incoming, response) => {
    const caller = new AbortController()
    let isBroken = false
    response.once('close', () => {
      // An answer that its endpoint breaks off closes this side, too, and the caller has nothing to do with it.
      if (!response.writableFinished && !isBroken) caller.abort()
    })
    const broken = () => {
      isBroken = true
    }
    balancer
      .call(({ address }, { signal }) => forward(incoming, response, { address, signal, agent, broken }), {
        deadlineMs,
        signal: caller.signal,
        classify: (error) => (error instanceof BadAnswer ? 'failure' : outcomeOfError(error)),
      })
      .catch((error: unknown) => refuse(response, error))
  }
}

/** An answer that was passed on as it was, and that counts against its endpoint. */
class BadAnswer extends Error {}

async function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  to: { readonly address: string; readonly signal: AbortSignal; readonly agent: Agent; readonly broken: () => void },
): Promise<void> {
  const { address, signal, agent, broken } = to
  const { authority, host, port } = httpAddress(address)
  const upstream = request({
    host,
    port,
    method: incoming.method,
    path: incoming.url,
    headers: forwardedHeaders(incoming),
    agent,
    signal,
  })
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    let isConnected = false
    upstream.once('response', resolve)
    upstream.once('error', (cause) => {
      // Before there was a connection nothing of the body was taken from the caller, so that another endpoint can have it.
      reject(isConnected ? cause : new HeadraceError('UNAVAILABLE', `no connection to ${authority}`, { cause }))
    })
    upstream.once('socket', (socket) => {
      const send = () => {
        isConnected = true
        incoming.pipe(upstream)
      }
      if (socket.connecting) socket.once('connect', send)
      else send()
    })
  })
  answer.once('error', broken)
  response.writeHead(answer.statusCode!, answer.statusMessage, withoutHopByHop(answer.headers))
  await pipeline(answer, response)
  if (answer.statusCode! >= 500) throw new BadAnswer(`${authority} answered ${answer.statusCode}`)
}

function refuse(response: ServerResponse, error: unknown): void {
  if (error instanceof BadAnswer) return
  // In the middle of an answer, to break off is the only way to say that it is not whole.
  if (response.headersSent) return void response.destroy()
  if (isHeadraceError(error, 'BUSY') || isHeadraceError(error, 'UNAVAILABLE') || isHeadraceError(error, 'CLOSED')) {
    return void response.writeHead(503, { 'Retry-After': '1' }).end()
  }
  response.writeHead(isHeadraceError(error, 'TIMEOUT') ? 504 : 502).end()
}

// RFC 9110, 7.6.1: these are about one connection, and a proxy has two.
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = new Set(
    String(headers.connection ?? '')
      .toLowerCase()
      .split(/\s*,\s*/),
  )
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !named.has(name)))
}

function forwardedHeaders(incoming: IncomingMessage): IncomingHttpHeaders {
  const from = incoming.socket.remoteAddress
  const before = incoming.headers['x-forwarded-for']
  return {
    ...withoutHopByHop(incoming.headers),
    ...(from !== undefined && { 'x-forwarded-for': before === undefined ? from : `${before}, ${from}` }),
  }
}
