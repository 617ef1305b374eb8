import type { RecordWithTtl, SrvRecord } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import {
  type Clock,
  checkInteger,
  checkKey,
  checkNumber,
  cryptoRandom,
  type Random,
  systemClock,
  within,
} from '@headrace/core'
import type { EndpointInput } from '../endpoint.ts'
import type { Discovery, Snapshot } from './discovery.ts'
import { outagePauseMs } from './outage.ts'

/** The part of `Resolver` of node:dns/promises that is used. */
export interface DnsResolver {
  resolve4(name: string, options: { ttl: true }): Promise<RecordWithTtl[]>
  resolve6(name: string, options: { ttl: true }): Promise<RecordWithTtl[]>
  resolveSrv(name: string): Promise<SrvRecord[]>
}

export interface DnsDiscoveryOptions {
  /** With a port, the name is looked up as A and AAAA; without one as SRV, which names the ports. */
  readonly port?: number | undefined
  /** Asked again after the TTL, but no sooner and no later than this. 1 s and 30 s by default. */
  readonly refreshMinMs?: number | undefined
  readonly refreshMaxMs?: number | undefined
  /** Asked again after this where the answer carries no TTL, as SRV in Node does not. 5 s by default. */
  readonly refreshMs?: number | undefined
  /** So many times in a row the name must be unknown before that is believed. 3 by default. */
  readonly emptyAnswers?: number | undefined
  /** One of Node with 2 s and 2 tries by default. */
  readonly resolver?: DnsResolver | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

interface Found {
  readonly endpoints: readonly EndpointInput[]
  /** Undefined where it is not known. */
  readonly ttlMs: number | undefined
}

const answerMs = 5_000

/**
 * The addresses of a name, asked for again and again. Of SRV records, those of the best priority count, with their weights.
 * While no server answers, the last list stays, as `stale`.
 * @throws TypeError or RangeError for a bad name or option.
 */
export function dnsDiscovery(name: string, options: DnsDiscoveryOptions = {}): Discovery {
  const { port, refreshMinMs = 1_000, refreshMaxMs = 30_000, refreshMs = 5_000, emptyAnswers = 3 } = options
  const { resolver = new Resolver({ timeout: 2_000, tries: 2 }), clock = systemClock, random = cryptoRandom } = options
  checkKey('name', name)
  if (port !== undefined) checkInteger('port', port, { min: 1, max: 65_535 })
  checkNumber('refreshMinMs', refreshMinMs, { min: 10 })
  checkNumber('refreshMaxMs', refreshMaxMs, { min: refreshMinMs })
  checkNumber('refreshMs', refreshMs, { min: refreshMinMs, max: refreshMaxMs })
  checkInteger('emptyAnswers', emptyAnswers, { min: 1 })
  const lookUp = port === undefined ? () => services(resolver, name) : () => addresses(resolver, name, port)

  return {
    async *watch(signal) {
      let latest: Snapshot = { endpoints: [], state: 'stale' }
      let empties = 0
      let failedSinceMs: number | undefined
      let isFirst = true
      while (!signal.aborted) {
        let pauseMs = refreshMinMs
        let next: Snapshot | undefined
        try {
          const { endpoints, ttlMs } = await within(clock, answerMs, lookUp(), { signal, what: 'the DNS query' })
          failedSinceMs = undefined
          if (endpoints.length > 0) {
            empties = 0
            next = { endpoints, state: 'fresh' }
            pauseMs = Math.min(refreshMaxMs, Math.max(refreshMinMs, ttlMs ?? refreshMs))
          } else if (++empties >= emptyAnswers) next = { endpoints, state: 'confirmed-empty' }
        } catch (error) {
          if (signal.aborted) return
          const nowMs = clock.nowMs()
          failedSinceMs ??= nowMs
          if (latest.state !== 'stale' || isFirst) next = { endpoints: latest.endpoints, state: 'stale', error }
          pauseMs = outagePauseMs(nowMs - failedSinceMs, random, { minMs: refreshMinMs, maxMs: refreshMaxMs })
        }
        if (next && (isFirst || !isSame(latest, next))) {
          isFirst = false
          latest = next
          yield next
        }
        await clock.sleep(pauseMs, signal).catch(() => {})
      }
    },
  }
}

async function addresses(resolver: DnsResolver, name: string, port: number): Promise<Found> {
  const [four, six] = await Promise.all([
    unlessUnknown(resolver.resolve4(name, { ttl: true })),
    unlessUnknown(resolver.resolve6(name, { ttl: true })),
  ])
  const hosts = [...four.map(({ address }) => address), ...six.map(({ address }) => `[${address}]`)]
  const ttls = [...four, ...six].map(({ ttl }) => ttl * 1e3)
  return {
    endpoints: unique(hosts.map((host) => ({ address: `${host}:${port}` }))),
    ttlMs: ttls.length > 0 ? Math.min(...ttls) : undefined,
  }
}

async function services(resolver: DnsResolver, name: string): Promise<Found> {
  const records = await unlessUnknown(resolver.resolveSrv(name))
  const best = Math.min(...records.map(({ priority }) => priority))
  const chosen = records.filter(({ priority }) => priority === best)
  const noWeights = chosen.every(({ weight }) => weight === 0)
  const endpoints = chosen.map(({ name: host, port, weight }) => ({
    address: `${host}:${port}`,
    // Beside others, 0 stands for a very small chance (RFC 2782), not for none.
    weight: noWeights ? 1 : weight || 0.1,
  }))
  return { endpoints: unique(endpoints), ttlMs: undefined }
}

/** No records where the name, or this type of it, does not exist; every other failure is one. */
async function unlessUnknown<Record>(query: Promise<Record[]>): Promise<Record[]> {
  try {
    return await query
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (code === 'ENOTFOUND' || code === 'ENODATA') return []
    throw error
  }
}

/** In a fixed order, because servers rotate their answers, and each address once. */
function unique(endpoints: readonly EndpointInput[]): readonly EndpointInput[] {
  return [...new Map(endpoints.map((endpoint) => [endpoint.address, endpoint])).values()].sort((one, other) =>
    one.address < other.address ? -1 : 1,
  )
}

function isSame(one: Snapshot, other: Snapshot): boolean {
  return one.state === other.state && JSON.stringify(one.endpoints) === JSON.stringify(other.endpoints)
}
