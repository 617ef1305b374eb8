import {
  type Clock,
  checkInteger,
  checkKey,
  checkNumber,
  cryptoRandom,
  guardObserver,
  isHeadraceError,
  type Observer,
  type Random,
  systemClock,
} from '@headrace/core'
import { outagePauseMs } from '../outage.ts'
import { askConsul, type ConsulAgent } from './agent.ts'

export interface ServiceDescription {
  /** The name under which others look for it. */
  readonly service: string
  /** Unique on the agent; service, address and port by default. */
  readonly id?: string | undefined
  /** A host or an IP address, without the port. */
  readonly address: string
  readonly port: number
  readonly tags?: readonly string[] | undefined
  readonly meta?: Readonly<Record<string, string>> | undefined
  /** Share of the work relative to the others. 1 by default. */
  readonly weight?: number | undefined
}

export type RegistrationEvent =
  /** The agent did not know it any more, and knows it again. */
  | { readonly type: 'registered-again' }
  /** A sign of life did not get through; the next one follows soon. */
  | { readonly type: 'heartbeat-failed'; readonly error: unknown }

export interface RegisterOptions {
  /** Without a sign of life for this long it counts as dead. 10 s by default. */
  readonly ttlMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly observe?: Observer<RegistrationEvent> | undefined
}

/** A service that others can find. */
export interface Registration extends AsyncDisposable {
  readonly id: string
  /**
   * Takes it off the list.
   * @returns false where the agent could not be told; it then finds out by itself after the TTL.
   */
  close(): Promise<boolean>
}

const answerMs = 2_000

/**
 * Announces a service at the agent, and keeps it alive until `close` or the end of the process. A process that dies without
 * a word is off the list after `ttlMs`; an agent that has lost its state is told again.
 * @throws HeadraceError `UNAVAILABLE` or `REJECTED` where it could not be announced; TypeError or RangeError for bad options.
 */
export async function register(
  consul: ConsulAgent,
  description: ServiceDescription,
  options: RegisterOptions = {},
): Promise<Registration> {
  const { service, address, port, tags = [], meta = {}, weight = 1 } = description
  const { id = `${service}-${address}-${port}` } = description
  const { ttlMs = 10_000, clock = systemClock, random = cryptoRandom } = options
  const observe = guardObserver(options.observe)
  checkKey('service', service)
  checkKey('id', id)
  checkKey('address', address)
  checkInteger('port', port, { min: 1, max: 65_535 })
  checkInteger('weight', weight, { min: 1, max: 65_535 })
  checkNumber('ttlMs', ttlMs, { min: 1_000, max: 86_400_000 })
  const ask = askConsul(consul, clock)
  const closing = new AbortController()

  const announce = (signal?: AbortSignal) =>
    ask('/v1/agent/service/register', {
      method: 'PUT',
      withinMs: answerMs,
      signal,
      body: {
        ID: id,
        Name: service,
        Address: address,
        Port: port,
        Tags: tags,
        Meta: meta,
        Weights: { Passing: weight, Warning: weight },
        // A minute is the least that Consul takes for the last part.
        Check: { TTL: `${Math.round(ttlMs)}ms`, Status: 'passing', DeregisterCriticalServiceAfter: '1m' },
      },
    })

  let forgotten = false
  const pass = async (signal: AbortSignal) => {
    try {
      await ask(`/v1/agent/check/pass/${encodeURIComponent(`service:${id}`)}`, {
        method: 'PUT',
        withinMs: answerMs,
        signal,
      })
    } catch (error) {
      // Older agents answer 500 to a check that they do not know, newer ones 404.
      if (!isHeadraceError(error, 'REJECTED') && !/does not have associated TTL/i.test(String(error))) throw error
      forgotten = true
      await announce(signal)
    }
    // An announcement whose answer came too late may have taken effect: then the sign of life after it gets through.
    if (forgotten) observe?.({ type: 'registered-again' })
    forgotten = false
  }

  async function keepAlive(signal: AbortSignal): Promise<void> {
    let failedSinceMs: number | undefined
    while (!signal.aborted) {
      const pauseMs =
        failedSinceMs === undefined
          ? ttlMs / 3
          : outagePauseMs(clock.nowMs() - failedSinceMs, random, { minMs: 50, maxMs: ttlMs / 3 })
      try {
        await clock.sleep(pauseMs, signal)
        await pass(signal)
        failedSinceMs = undefined
      } catch (error) {
        if (signal.aborted) return
        failedSinceMs ??= clock.nowMs()
        observe?.({ type: 'heartbeat-failed', error })
      }
    }
  }

  await announce()
  const alive = keepAlive(closing.signal)
  let closed: Promise<boolean> | undefined

  async function deregister(): Promise<boolean> {
    closing.abort()
    await alive
    try {
      await ask(`/v1/agent/service/deregister/${encodeURIComponent(id)}`, { method: 'PUT', withinMs: answerMs })
      return true
    } catch {
      return false
    }
  }

  const close = () => {
    closed ??= deregister()
    return closed
  }
  return {
    id,
    close,
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}
