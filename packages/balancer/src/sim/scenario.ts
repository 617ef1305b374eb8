import { checkInteger, checkNumber, describe } from '@headrace/core'

/** Endpoints of one kind. */
export interface EndpointGroup {
  readonly count?: number | undefined
  /** How many requests one endpoint works on at once; the others wait there in line. 1 by default. */
  readonly workers?: number | undefined
  /** 2 works twice as fast as 1, which is the default. */
  readonly speed?: number | undefined
  readonly weight?: number | undefined
  /** `fail` answers each request with a failure at once, `hang` never answers; `work` by default. */
  readonly behaviour?: 'work' | 'fail' | 'hang' | undefined
  /** When it appears and disappears in the list of endpoints; there from the beginning, and for ever, by default. */
  readonly joinsAtMs?: number | undefined
  readonly leavesAtMs?: number | undefined
  /** A cold start: this speed for this long after it has joined. */
  readonly cold?: { readonly speed: number; readonly forMs: number } | undefined
}

/** A fleet and what is asked of it. Plain data: a scenario can be kept in a JSON file. */
export interface Scenario {
  readonly endpoints: readonly EndpointGroup[]
  /** Clients that balance on their own and share nothing. 1 by default. */
  readonly dispatchers?: number | undefined
  /** Arrivals as a share of what the endpoints that work can do on average. */
  readonly utilization: number
  /** Time of one request at speed 1: lognormal with mean 10 ms and squared coefficient of variation 1 by default. */
  readonly service?:
    | {
        readonly meanMs?: number | undefined
        /** For lognormal; that of the exponential is 1. */
        readonly cv2?: number | undefined
        readonly distribution?: 'lognormal' | 'exponential' | undefined
      }
    | undefined
  /** Both ways together; 0.5 ms by default. */
  readonly rttMs?: number | undefined
  /** Neighbours that steal from each endpoint now and then: for `episodeMs` at a time, `share` of all time. */
  readonly antagonists?: { readonly share: number; readonly speed: number; readonly episodeMs: number } | undefined
  /** Keys of the requests; none by default. */
  readonly keys?: { readonly count: number; readonly exponent: number } | undefined
  /** A caller gives up after this; never by default. */
  readonly deadlineMs?: number | undefined
  readonly requests: number
  /** Requests at the beginning that do not count; a tenth by default. */
  readonly warmUpRequests?: number | undefined
}

/** A scenario with everything filled in, one entry for each endpoint. */
export interface Plan {
  readonly endpoints: readonly PlannedEndpoint[]
  readonly dispatchers: number
  readonly arrivalsPerMs: number
  readonly capacityPerMs: number
  readonly meanMs: number
  readonly cv2: number
  readonly distribution: 'lognormal' | 'exponential'
  readonly rttMs: number
  readonly antagonists: Scenario['antagonists']
  readonly keys: Scenario['keys']
  readonly deadlineMs: number
  readonly requests: number
  readonly warmUpRequests: number
}

export interface PlannedEndpoint {
  readonly id: string
  readonly workers: number
  readonly speed: number
  readonly weight: number
  readonly behaviour: 'work' | 'fail' | 'hang'
  readonly joinsAtMs: number
  readonly leavesAtMs: number
  readonly cold: { readonly speed: number; readonly forMs: number }
}

/** @throws TypeError or RangeError that names the field. */
export function planOf(scenario: Scenario): Plan {
  const { dispatchers = 1, utilization, service = {}, rttMs = 0.5, antagonists, keys, requests } = scenario
  const { deadlineMs = Number.POSITIVE_INFINITY, warmUpRequests = Math.floor(requests / 10) } = scenario
  const { meanMs = 10, cv2 = 1, distribution = 'lognormal' } = service
  if (distribution !== 'lognormal' && distribution !== 'exponential') {
    throw new RangeError(`service.distribution must be 'lognormal' or 'exponential', received ${String(distribution)}`)
  }
  checkInteger('dispatchers', dispatchers, { min: 1, max: 10_000 })
  checkNumber('utilization', utilization, { min: 0.001, max: 100 })
  checkNumber('service.meanMs', meanMs, { min: 0.001 })
  checkNumber('service.cv2', cv2, { min: 0, max: 1_000 })
  checkNumber('rttMs', rttMs, { min: 0 })
  checkNumber('deadlineMs', deadlineMs, { min: 0, max: Number.POSITIVE_INFINITY })
  checkInteger('requests', requests, { min: 1, max: 50_000_000 })
  checkInteger('warmUpRequests', warmUpRequests, { min: 0, max: requests - 1 })
  if (antagonists) {
    checkNumber('antagonists.share', antagonists.share, { min: 0, max: 0.99 })
    checkNumber('antagonists.speed', antagonists.speed, { min: 0.001 })
    checkNumber('antagonists.episodeMs', antagonists.episodeMs, { min: 1 })
  }
  if (keys) {
    checkInteger('keys.count', keys.count, { min: 1, max: 10_000_000 })
    checkNumber('keys.exponent', keys.exponent, { min: 0, max: 10 })
  }
  // From a JSON file it can be anything.
  if (!Array.isArray(scenario.endpoints)) {
    throw new TypeError(`endpoints must be an array, received ${describe(scenario.endpoints)}`)
  }
  const endpoints = scenario.endpoints.flatMap((group, index) => endpointsOf(group, `endpoints[${index}]`, index))
  const able = endpoints.filter((it) => it.behaviour === 'work' && it.joinsAtMs === 0 && it.leavesAtMs === Infinity)
  if (able.length === 0) throw new RangeError('endpoints must have one that works from the beginning to the end')
  const kept = antagonists ? 1 - antagonists.share * (1 - antagonists.speed) : 1
  const capacityPerMs = (able.reduce((sum, it) => sum + it.workers * it.speed, 0) * kept) / meanMs
  return {
    ...{ endpoints, dispatchers, arrivalsPerMs: utilization * capacityPerMs, capacityPerMs, meanMs, cv2, rttMs },
    ...{ distribution, antagonists, keys, deadlineMs, requests, warmUpRequests },
  }
}

function endpointsOf(group: EndpointGroup, at: string, groupIndex: number): PlannedEndpoint[] {
  const { count = 1, workers = 1, speed = 1, weight = 1, behaviour = 'work', joinsAtMs = 0, cold } = group
  const { leavesAtMs = Number.POSITIVE_INFINITY } = group
  checkInteger(`${at}.count`, count, { min: 1, max: 100_000 })
  checkInteger(`${at}.workers`, workers, { min: 1, max: 100_000 })
  checkNumber(`${at}.speed`, speed, { min: 0.001 })
  checkNumber(`${at}.joinsAtMs`, joinsAtMs, { min: 0 })
  checkNumber(`${at}.leavesAtMs`, leavesAtMs, { min: joinsAtMs, max: Number.POSITIVE_INFINITY })
  if (cold) {
    checkNumber(`${at}.cold.speed`, cold.speed, { min: 0.001 })
    checkNumber(`${at}.cold.forMs`, cold.forMs, { min: 0 })
  }
  if (!['work', 'fail', 'hang'].includes(behaviour)) {
    throw new RangeError(`${at}.behaviour must be 'work', 'fail' or 'hang', received ${String(behaviour)}`)
  }
  const rest = { workers, speed, weight, behaviour, joinsAtMs, leavesAtMs, cold: cold ?? { speed, forMs: 0 } }
  return Array.from({ length: count }, (_, number) => ({ id: `${groupIndex}-${number}`, ...rest }))
}
