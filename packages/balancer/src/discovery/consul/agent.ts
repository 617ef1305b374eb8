import { abortedError, type Clock, checkFunction, describe, HeadraceError, isHeadraceError } from '@headrace/core'

/** Where the agent is, and how to speak to it. */
export interface ConsulAgent {
  /** `http://127.0.0.1:8500`. */
  readonly url: string | URL
  /** An ACL token; never part of an error. */
  readonly token?: string | undefined
  /** Instead of the global one, for a proxy or a certificate of your own. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

export interface ConsulAnswer {
  readonly body: unknown
  /** X-Consul-Index, 0 where it is missing or makes no sense. */
  readonly index: number
}

/** Asks the agent one thing. */
export type AskConsul = (
  path: string,
  options: {
    readonly method?: 'GET' | 'PUT'
    readonly body?: unknown
    /** An answer later than this is none. */
    readonly withinMs: number
    readonly signal?: AbortSignal | undefined
  },
) => Promise<ConsulAnswer>

/** @throws TypeError or RangeError for a bad address. The returned function: `UNAVAILABLE`, `REJECTED` or `ABORTED`. */
export function askConsul({ url, token, fetch = globalThis.fetch }: ConsulAgent, clock: Clock): AskConsul {
  if (typeof url !== 'string' && !(url instanceof URL)) {
    throw new TypeError(`consul.url must be a string or a URL, received ${describe(url)}`)
  }
  if (!URL.canParse(String(url)) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new RangeError('consul.url must be an http or https URL')
  }
  if (token !== undefined && typeof token !== 'string') {
    throw new TypeError(`consul.token must be a string, received ${describe(token)}`)
  }
  checkFunction('consul.fetch', fetch)
  const headers = token === undefined ? {} : { 'X-Consul-Token': token }

  return async (path, { method = 'GET', body, withinMs, signal }) => {
    const what = `${method} ${path.split('?')[0]}`
    if (signal?.aborted) throw abortedError(signal, what)
    // One of our own for time and caller together: AbortSignal.any and .timeout cost twenty times as much.
    const stop = new AbortController()
    const abort = () => stop.abort()
    signal?.addEventListener('abort', abort, { once: true })
    const cancel = clock.after(withinMs, abort)
    try {
      const response = await fetch(new URL(path, url), {
        method,
        headers,
        signal: stop.signal,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) {
        // 4xx is about what was asked; 5xx and 429 are about the agent, which has no leader or too much to do.
        const isAbout = response.status < 500 && response.status !== 429
        throw new HeadraceError(
          isAbout ? 'REJECTED' : 'UNAVAILABLE',
          `Consul answered ${response.status} to ${what}: ${text.slice(0, 200)}`,
        )
      }
      const index = Number(response.headers.get('X-Consul-Index'))
      return {
        body: text === '' ? null : JSON.parse(text),
        index: Number.isSafeInteger(index) && index > 0 ? index : 0,
      }
    } catch (cause) {
      if (isHeadraceError(cause)) throw cause
      if (signal?.aborted) throw abortedError(signal, what)
      const why = stop.signal.aborted ? `gave no answer within ${withinMs} ms` : 'failed'
      throw new HeadraceError('UNAVAILABLE', `Consul: ${what} ${why}`, { cause })
    } finally {
      cancel()
      signal?.removeEventListener('abort', abort)
    }
  }
}
