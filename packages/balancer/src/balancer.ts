import {
  type Clock,
  checkKey,
  checkNumber,
  cryptoRandom,
  exponentialBackoff,
  guardObserver,
  HeadraceError,
  isHeadraceError,
  type Observer,
  type Random,
  systemClock,
  within,
} from '@headrace/core'
import { type CallOptions, callThrough, type Route, type Work } from './call.ts'
import type { Discovery, Snapshot } from './discovery/discovery.ts'
import { follow } from './discovery/follow.ts'
import type { Endpoint } from './endpoint.ts'
import { gate } from './gate.ts'
import { checkOutcome, type Load, type Outcome } from './load/load.ts'
import { createMembership, type Member } from './membership.ts'
import type { Pick, PickOptions } from './pick.ts'
import { leastLoaded } from './policies/least-loaded.ts'
import type { Policy } from './policies/policy.ts'

export type BalancerEvent =
  | { readonly type: 'endpoints'; readonly added: readonly string[]; readonly removed: readonly string[] }
  /** The discovery failed, or gave a bad list; the endpoints known so far stay in use, and it is asked again. */
  | { readonly type: 'discovery-failed'; readonly error: unknown }
  /** Attempt number `attempt` at `endpoint` failed, and another one follows elsewhere. */
  | { readonly type: 'retry'; readonly endpoint: string; readonly attempt: number; readonly error: unknown }

export interface BalancerOptions {
  /** {@link leastLoaded} by default. */
  readonly policy?: Policy | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly observe?: Observer<BalancerEvent> | undefined
}

/** One endpoint in {@link BalancerStats}. */
export interface EndpointStats<Metadata = unknown> extends Load {
  readonly endpoint: Endpoint<Metadata>
  /** Has left the list and is known only for its work in flight. */
  readonly draining: boolean
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
   * @throws HeadraceError `UNAVAILABLE` where there is nobody, `BUSY` where too many wait for a first endpoint, `TIMEOUT`,
   * `ABORTED`, `CLOSED`; else what the last attempt threw.
   */
  call<Result>(work: Work<Metadata, Result>, options?: CallOptions): Promise<Result>
  stats(): BalancerStats<Metadata>
  /**
   * Picks no more, stops the discovery and waits for the work in flight, at most `drainMs` (10 s by default). Nothing is
   * cut short: a call goes on until its own deadline.
   * @returns whether all work has ended.
   */
  close(options?: { readonly drainMs?: number | undefined }): Promise<boolean>
}

const waitingMax = 1_000

/** @throws TypeError or RangeError for a bad first list of a discovery that has one. */
export function createBalancer<Metadata = unknown>(
  discovery: Discovery<Metadata>,
  options: BalancerOptions = {},
): Balancer<Metadata> {
  const { policy = leastLoaded(), clock = systemClock, random = cryptoRandom } = options
  const observe = guardObserver(options.observe)
  const membership = createMembership<Metadata>(policy, random)
  const closing = new AbortController()
  const firstList = gate()
  const drained = gate()
  let waiting = 0
  let inFlight = 0

  function apply(snapshot: Snapshot<Metadata>): void {
    const change = membership.apply(snapshot)
    if (change) observe?.({ type: 'endpoints', ...change })
    if (change || snapshot.state === 'confirmed-empty') firstList.open()
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

  function pick({ key, exclude, deadlineMs }: PickOptions = {}): Pick<Metadata> | null {
    if (key !== undefined) checkKey('key', key)
    if (deadlineMs !== undefined) checkNumber('deadlineMs', deadlineMs)
    if (closing.signal.aborted) throw closedError()
    if (deadlineMs !== undefined && deadlineMs <= 0) return null
    const { candidates, picker, epoch } = membership.view
    const index = picker ? picker.pick({ key, exclude }) : -1
    return index === -1 ? null : begin(candidates[index]!, epoch)
  }

  function begin(member: Member<Metadata>, epoch: number): Pick<Metadata> {
    let open = true
    inFlight++
    member.load.begin()
    function done(outcome: Outcome): boolean {
      checkOutcome(outcome)
      if (!open) return false
      open = false
      member.load.end(outcome)
      membership.settled(member)
      if (--inFlight === 0 && closing.signal.aborted) drained.open()
      return true
    }
    return { endpoint: member.endpoint, epoch, done, [Symbol.dispose]: () => void done('ignored') }
  }

  async function ready(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (firstList.isOpen) throw new HeadraceError('UNAVAILABLE', 'there is no endpoint that can take it')
    if (waiting >= waitingMax) throw new HeadraceError('BUSY', `${waiting} calls wait for a first endpoint already`)
    waiting++
    try {
      await within(clock, waitMs, firstList.opened, { signal, what: 'the wait for a first endpoint' })
    } catch (error) {
      if (!isHeadraceError(error, 'TIMEOUT')) throw error
      throw new HeadraceError('UNAVAILABLE', `no endpoint became known within ${waitMs} ms`)
    } finally {
      waiting--
    }
  }

  async function close({ drainMs = 10_000 }: { readonly drainMs?: number | undefined } = {}): Promise<boolean> {
    checkNumber('drainMs', drainMs, { min: 0 })
    closing.abort(closedError())
    // Who waits for a first endpoint finds the balancer closed.
    firstList.open()
    if (inFlight === 0) drained.open()
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
    pick,
    ready,
    retried(endpoint, attempt, error) {
      observe?.({ type: 'retry', endpoint: endpoint.id, attempt, error })
    },
  }

  return {
    pick,
    call: (work, callOptions = {}) => callThrough(route, work, callOptions),
    stats() {
      const endpoints = [...membership.members()].map(({ endpoint, load, draining }) => {
        const { inFlight, succeeded, failed, ignored } = load
        return { endpoint, draining, inFlight, succeeded, failed, ignored }
      })
      return { policy: policy.name, state: membership.state, epoch: membership.view.epoch, endpoints }
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
