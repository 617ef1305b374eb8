import { type Clock, checkKey, checkNumber, cryptoRandom, type Random, systemClock } from '@headrace/core'
import type { EndpointInput } from '../../endpoint.ts'
import type { Discovery, Snapshot } from '../discovery.ts'
import { outagePauseMs } from '../outage.ts'
import { askConsul, type ConsulAgent } from './agent.ts'
import { type ConsulMetadata, endpointsOf } from './entries.ts'

export interface ConsulDiscoveryOptions {
  /** Only endpoints with this tag. */
  readonly tag?: string | undefined
  readonly datacenter?: string | undefined
  /** How long one blocking query may wait for a change. 10 s by default; an agent that hangs is noticed a little later. */
  readonly waitMs?: number | undefined
  /** How long an empty list must last before it is believed. 2 s by default. */
  readonly emptyAfterMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

// Flapping checks can change the list a thousand times a second.
const pauseMinMs = 50

/**
 * The healthy endpoints of a service, by blocking queries to a Consul agent. A change is there as soon as the agent has it.
 * While the agent cannot be asked, the last list stays, as `stale`; an agent that has lost its state is asked from the
 * beginning, so that its new list is not missed.
 * @throws TypeError or RangeError for a bad address, name or option.
 */
export function consulDiscovery(
  consul: ConsulAgent,
  service: string,
  options: ConsulDiscoveryOptions = {},
): Discovery<ConsulMetadata> {
  const { tag, datacenter, waitMs = 10_000, emptyAfterMs = 2_000, clock = systemClock, random = cryptoRandom } = options
  checkKey('service', service)
  checkNumber('waitMs', waitMs, { min: 1_000, max: 600_000 })
  checkNumber('emptyAfterMs', emptyAfterMs, { min: 0 })
  const ask = askConsul(consul, clock)
  const query = new URLSearchParams()
  if (tag !== undefined) query.set('tag', tag)
  if (datacenter !== undefined) query.set('dc', datacenter)

  async function read(index: number, longestMs: number, signal: AbortSignal) {
    query.set('index', String(index))
    query.set('wait', `${Math.max(1, Math.ceil(longestMs))}ms`)
    // Consul adds up to a sixteenth of the wait as jitter of its own.
    const withinMs = (index === 0 ? 0 : longestMs * (17 / 16)) + 2_000
    const answer = await ask(`/v1/health/service/${encodeURIComponent(service)}?${query}`, { withinMs, signal })
    return { endpoints: endpointsOf(answer.body), index: answer.index }
  }

  return {
    async *watch(signal) {
      let index = 0
      let latest: readonly EndpointInput<ConsulMetadata>[] = []
      let state: Snapshot['state'] | undefined
      let emptySinceMs: number | undefined
      let failedSinceMs: number | undefined
      while (!signal.aborted) {
        const askedMs = clock.nowMs()
        // An empty list is asked for again when it has lasted long enough, or when it changes.
        const longestMs =
          emptySinceMs === undefined || state === 'confirmed-empty'
            ? waitMs
            : Math.min(waitMs, emptySinceMs + emptyAfterMs - askedMs)
        try {
          const answer = await read(index, longestMs, signal)
          failedSinceMs = undefined
          // An index that goes back is that of an agent that has lost its state: to wait for the old one would be blindness.
          index = answer.index < index ? 0 : answer.index
          emptySinceMs = answer.endpoints.length > 0 ? undefined : (emptySinceMs ?? clock.nowMs())
          const isConfirmed = emptySinceMs !== undefined && clock.nowMs() >= emptySinceMs + emptyAfterMs
          const next = isConfirmed ? 'confirmed-empty' : 'fresh'
          const endpoints = keepSame(latest, answer.endpoints)
          const isHeld = endpoints.length === 0 && latest.length > 0 && !isConfirmed
          if (!isHeld && (state !== next || endpoints !== latest)) {
            state = next
            latest = endpoints
            yield { endpoints, state }
          }
          await clock.sleep(Math.max(0, askedMs + pauseMinMs - clock.nowMs()), signal)
        } catch (error) {
          if (signal.aborted) return
          const nowMs = clock.nowMs()
          failedSinceMs ??= nowMs
          index = 0
          if (state !== 'stale') {
            state = 'stale'
            yield { endpoints: latest, state, error }
          }
          const pauseMs = outagePauseMs(nowMs - failedSinceMs, random, { minMs: 20, maxMs: 10_000 })
          await clock.sleep(pauseMs, signal).catch(() => {})
        }
      }
    },
  }
}

/** The former list where nothing has changed, and former endpoints in a list where others have. */
function keepSame(
  former: readonly EndpointInput<ConsulMetadata>[],
  next: readonly EndpointInput<ConsulMetadata>[],
): readonly EndpointInput<ConsulMetadata>[] {
  const known = new Map(former.map((endpoint) => [JSON.stringify(endpoint), endpoint]))
  const kept = next.map((endpoint) => known.get(JSON.stringify(endpoint)) ?? endpoint)
  return kept.length === former.length && kept.every((endpoint, place) => endpoint === former[place]) ? former : kept
}
