import {
  type Clock,
  checkKey,
  checkNumber,
  cryptoRandom,
  exponentialBackoff,
  guardObserver,
  HeadraceError,
  type Observer,
  type Random,
  systemClock,
  within,
} from '@headrace/core'
import { createAdmission } from './admission.ts'
import type { Work } from './attempt.ts'
import { type BudgetOptions, createBudget } from './budget.ts'
import { type CallOptions, callThrough, type Route } from './call.ts'
import { createDeadlines } from './deadlines.ts'
import type { Discovery, Snapshot } from './discovery/discovery.ts'
import { follow } from './discovery/follow.ts'
import type { Endpoint } from './endpoint.ts'
import { type Explanation, explain } from './explain.ts'
import { gate } from './gate.ts'
import { createEjection, type Ejection, type EjectionEvent, type EjectionOptions } from './health/ejection.ts'
import { type HealthCheckEvent, type HealthCheckOptions, startHealthChecks } from './health/health-checks.ts'
import { residenceMs } from './load/little.ts'
import type { Load } from './load/load.ts'
import { createPace } from './load/pace.ts'
import { type Health, healthOf, type Member } from './member.ts'
import { createMembership, type Membership } from './membership.ts'
import type { OpenPick, Pick, PickOptions } from './pick.ts'
import { createPicking, type NoPick, noPickError, type RefusedEvent } from './picking.ts'
import { little } from './policies/little.ts'
import type { Policy } from './policies/policy.ts'
import { createWaitingRoom } from './waiting-room.ts'

export type BalancerEvent =
  | EjectionEvent
  | { readonly type: 'endpoints'; readonly added: readonly string[]; readonly removed: readonly string[] }
  /** The discovery failed, or gave a bad list; the endpoints known so far stay in use, and it is asked again. */
  | { readonly type: 'discovery-failed'; readonly error: unknown }
  /** Attempt number `attempt` at `endpoint` failed, and another one follows elsewhere. */
  | { readonly type: 'retry'; readonly endpoint: string; readonly attempt: number; readonly error: unknown }
  /** Attempt number `attempt` was sent to `endpoint`, because an earlier one takes long. */
  | { readonly type: 'hedge'; readonly endpoint: string; readonly attempt: number }
  | RefusedEvent
  /** An endpoint did not pass a health check. */
  | HealthCheckEvent

export interface BalancerOptions {
  /** {@link little} by default. */
  readonly policy?: Policy | undefined
  /**
   * How long a newcomer takes to get its full share; 4 s by default, 0 for at once. Endpoints that are there from the
   * beginning start with it.
   */
  readonly slowStartMs?: number | undefined
  /** When endpoints are put out for a while; false for never. */
  readonly ejection?: EjectionOptions | false | undefined
  /** Asks the endpoints now and then whether they are well, until the balancer is closed; never by default. */
  readonly healthCheck?: HealthCheckOptions | undefined
  /** What retries and hedges together may add to the calls. */
  readonly retryBudget?: BudgetOptions | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly observe?: Observer<BalancerEvent> | undefined
}

/** One endpoint in {@link BalancerStats}. */
export interface EndpointStats<Metadata = unknown> extends Load {
  readonly endpoint: Endpoint<Metadata>
  /** Has left the list and is known only for its work in flight. */
  readonly draining: boolean
  readonly health: Health
  /** The mean time that work has spent there of late, failures and the time of what is still in flight included. */
  readonly residenceMs: number
}

export interface BalancerStats<Metadata = unknown> {
  readonly policy: string
  /** Of the last snapshot; `stale` while nothing is known, too. */
  readonly state: Snapshot['state']
  readonly epoch: number
  readonly endpoints: readonly EndpointStats<Metadata>[]
}

/** Chooses an endpoint for each piece of work, and learns from how it ended. */
export interface Balancer<Metadata = unknown> extends AsyncDisposable {
  /**
   * Chooses at once, without waiting for anything.
   * @returns null where there is nobody to pick.
   * @throws HeadraceError `CLOSED`.
   */
  pick(options?: PickOptions): Pick<Metadata> | null
  /**
   * Does `work` at an endpoint. While no list of endpoints is known yet, it waits for the first. An attempt that failed is
   * repeated at other endpoints where nothing happened (`BUSY`, `UNAVAILABLE`), and with `idempotent` after every failure.
   * @throws HeadraceError `UNAVAILABLE` where there is nobody, `BUSY` where it could not be done in time or 1,000 wait already, `TIMEOUT`,
   * `ABORTED`, `CLOSED`; else what the last attempt threw.
   */
  call<Result>(work: Work<Metadata, Result>, options?: CallOptions): Promise<Result>
  stats(): BalancerStats<Metadata>
  /** Why the next pick, for `key` if given, goes where it goes. */
  explain(key?: string): Explanation<Metadata>
  /**
   * Picks no more, stops the discovery and waits for the work in flight, at most `drainMs` (10 s by default). Nothing is
   * cut short: a call goes on until its own deadline.
   * @returns whether all work has ended.
   */
  close(options?: { readonly drainMs?: number | undefined }): Promise<boolean>
}

// In a queue of one server, answers take half as long again at a third of its capacity.
const hedgeSlownessMax = 1.5

/** @throws TypeError or RangeError for a bad first list of a discovery that has one. */
export function createBalancer<Metadata = unknown>(
  discovery: Discovery<Metadata>,
  options: BalancerOptions = {},
): Balancer<Metadata> {
  const { policy = little(), clock = systemClock, random = cryptoRandom, slowStartMs = 4_000 } = options
  const { ejection: ejectionOptions = {}, retryBudget = {}, healthCheck } = options
  const observe = guardObserver(options.observe)
  checkNumber('slowStartMs', slowStartMs, { min: 0 })
  const pace = createPace(clock.nowMs(), (answers, latencySumMs, elapsedMs) =>
    admission.windowEnded(answers, latencySumMs, elapsedMs),
  )
  const admission = createAdmission(pace, clock.nowMs())
  const membership: Membership<Metadata> = createMembership<Metadata>({
    policy,
    random,
    pace,
    nowMs: clock.nowMs,
    slowStartMs,
    admits: (member) => ejection?.admits(member) ?? true,
  })
  const ejection: Ejection<Metadata> | undefined =
    ejectionOptions === false
      ? undefined
      : createEjection<Metadata>({
          ejection: ejectionOptions,
          members: membership.known,
          random,
          observe,
          refresh: membership.refresh,
          slowStartMs,
        })
  const budget = createBudget(retryBudget, clock.nowMs())
  const closing = new AbortController()
  // As `closing` says, which is too slow to be asked with each pick.
  let isClosed = false
  const drained = gate()
  const room = createWaitingRoom<OpenPick<Metadata>>(clock, (pick) => void pick.done('ignored'))
  const picking = createPicking<Metadata>({
    clock,
    policy,
    membership,
    ejection,
    admission,
    observe,
    waiting: () => room.line.length,
    ended(key) {
      if (isClosed && picking.inFlight === 0) drained.open()
      if (room.line.length > 0) room.line.serve()
      if (key !== undefined) room.serveKey(key)
    },
  })

  function apply(snapshot: Snapshot<Metadata>): void {
    const change = membership.apply(snapshot)
    if (change) observe?.({ type: 'endpoints', ...change })
    if (snapshot.error !== undefined) observe?.({ type: 'discovery-failed', error: snapshot.error })
    room.serveAll()
  }

  if (healthCheck) {
    if (!ejection) throw new TypeError('healthCheck needs ejection, which must not be false then')
    const { signal } = closing
    startHealthChecks({ healthCheck, members: membership.known, ejection, clock, random, observe, signal })
  }
  if (discovery.initial) apply(discovery.initial)
  // Ends with the discovery or the balancer, and keeps every failure to itself.
  void follow(discovery, {
    apply,
    failed(error) {
      membership.stale()
      observe?.({ type: 'discovery-failed', error })
    },
    signal: closing.signal,
    clock,
    backoff: exponentialBackoff({ delayMinMs: 100, delayMaxMs: 10_000, random }),
  })

  function throwIfClosed(): void {
    if (isClosed) throw closedError()
  }

  function pickNow(pickOptions: PickOptions): OpenPick<Metadata> | NoPick {
    throwIfClosed()
    return picking.refusal(pickOptions) ?? picking.tryPick(pickOptions)
  }

  async function close({ drainMs = 10_000 }: { readonly drainMs?: number | undefined } = {}): Promise<boolean> {
    checkNumber('drainMs', drainMs, { min: 0 })
    isClosed = true
    closing.abort(closedError())
    // Who waits finds the balancer closed.
    room.serveAll()
    if (picking.inFlight === 0) drained.open()
    try {
      await within(clock, drainMs, drained.opened)
      return true
    } catch {
      // Only the time can run out.
      return false
    }
  }

  const route: Route<Metadata> = {
    clock,
    budget,
    deadlines: createDeadlines(clock),
    pick(pickOptions, waitMs, signal) {
      throwIfClosed()
      const refusal = picking.refusal(pickOptions)
      if (refusal) throw noPickError(refusal)
      // Nobody overtakes those who wait for a free endpoint; to wait for a key is a matter of that key.
      const pick = room.line.length > 0 && policy.holdsBack ? 'full' : picking.tryPick(pickOptions)
      if (typeof pick !== 'string') return pick
      if (pick === 'nobody') throw noPickError(pick)
      const attempt = () => {
        throwIfClosed()
        const next = picking.tryPick(pickOptions)
        if (next === 'nobody') throw noPickError(next)
        return typeof next === 'string' ? null : next
      }
      return room.wait(attempt, { key: pick === 'pinned' ? pickOptions.key : undefined, waitMs, signal })
    },
    pickHedge(pickOptions) {
      const { perMsMax, latencyMinMs } = pace.concurrency
      // Where answers take much longer than they could, endpoints are busy, and a second attempt makes it worse.
      if (perMsMax > 0 && pace.meanMs > hedgeSlownessMax * latencyMinMs) return null
      const pick = pickNow(pickOptions)
      return typeof pick === 'string' ? null : pick
    },
    retried(endpoint, attempt, error) {
      observe?.({ type: 'retry', endpoint: endpoint.id, attempt, error })
    },
    hedged(endpoint, attempt) {
      observe?.({ type: 'hedge', endpoint: endpoint.id, attempt })
    },
  }

  return {
    pick(pickOptions = {}) {
      const pick = pickNow(pickOptions)
      return typeof pick === 'string' ? null : pick
    },
    call: (work, callOptions = {}) => callThrough(route, work, callOptions),
    stats() {
      const nowMs = clock.nowMs()
      const statsOf = (member: Member<Metadata>): EndpointStats<Metadata> => {
        const { endpoint, load } = member
        const { inFlight, succeeded, failed, ignored } = load
        return {
          endpoint,
          draining: !member.isKnown,
          health: healthOf(member),
          inFlight,
          succeeded,
          failed,
          ignored,
          residenceMs: residenceMs(load, nowMs),
        }
      }
      const endpoints = [
        ...[...membership.known()].map((member) => statsOf(member)),
        ...[...membership.leaving].map((member) => statsOf(member)),
      ]
      return { policy: policy.name, state: membership.state, epoch: membership.view.epoch, endpoints }
    },
    explain(key) {
      if (key !== undefined) checkKey('key', key)
      const pinned = key === undefined ? undefined : picking.pinnedTo(key)
      return explain({ policy, membership, pinned, key, nowMs: clock.nowMs() })
    },
    close,
    async [Symbol.asyncDispose]() {
      await close()
    },
  }
}

function closedError(): HeadraceError {
  return new HeadraceError('CLOSED', 'the balancer is closed')
}
