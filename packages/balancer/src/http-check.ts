import { get } from 'node:http'
import type { Endpoint } from './endpoint.ts'
import { httpAddress } from './http-address.ts'

/**
 * A health check by HTTP: an endpoint is well when it answers a GET of `path` with a status below 400.
 * @example createBalancer(discovery, { healthCheck: { check: httpCheck('/health') } })
 * @throws RangeError unless `path` begins with a slash.
 */
export function httpCheck(path: string): (endpoint: Endpoint, signal: AbortSignal) => Promise<void> {
  if (!path.startsWith('/')) throw new RangeError(`path must begin with a slash, received "${path}"`)
  return ({ address }, signal) =>
    new Promise((resolve, reject) => {
      const { host, port, authority } = httpAddress(address)
      // A connection of its own: one that is kept could be the last thing there that works.
      get({ host, port, path, signal, agent: false }, (answer) => {
        // Only the status counts, and the body may never end.
        answer.destroy()
        const { statusCode = 0 } = answer
        if (statusCode < 400) resolve()
        else reject(new Error(`${authority} answered ${statusCode} to the check`))
      }).once('error', reject)
    })
}
