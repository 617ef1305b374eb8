import {
  type Clock,
  checkFunction,
  checkInteger,
  checkNumber,
  HeadraceError,
  type Observer,
  type Random,
  within,
} from '@headrace/core'
import type { Endpoint } from '../endpoint.ts'
import type { Member } from '../member.ts'
import type { Ejection } from './ejection.ts'

export interface HealthCheckOptions {
  /** Asks an endpoint whether it is well. It is not when this throws, rejects, gives false or takes too long; `signal` then aborts. */
  readonly check: (endpoint: Endpoint, signal: AbortSignal) => unknown
  /** Between two rounds, on average; each pause is from half of it to one and a half. 5 s by default. */
  readonly intervalMs?: number | undefined
  /** 1 s by default. */
  readonly timeoutMs?: number | undefined
  /** How many are asked at once. 16 by default. */
  readonly concurrency?: number | undefined
}

export interface HealthCheckEvent {
  readonly type: 'check-failed'
  readonly endpoint: string
  readonly error: unknown
}

/**
 * Asks all endpoints in rounds, until `signal` aborts, and tells `ejection`, which alone decides who is in and who is out: a check
 * is a probe like any other, and it says nothing of the load.
 * @throws TypeError or RangeError that names a bad option.
 */
export function startHealthChecks<Metadata>(options: {
  readonly healthCheck: HealthCheckOptions
  readonly members: () => Iterable<Member<Metadata>>
  readonly ejection: Ejection<Metadata>
  readonly clock: Clock
  readonly random: Random
  readonly observe: Observer<HealthCheckEvent> | undefined
  readonly signal: AbortSignal
}): void {
  const { members, ejection, clock, random, observe, signal } = options
  const { check, intervalMs = 5_000, timeoutMs = 1_000, concurrency = 16 } = options.healthCheck
  checkFunction('healthCheck.check', check)
  checkNumber('healthCheck.intervalMs', intervalMs, { min: 1 })
  checkNumber('healthCheck.timeoutMs', timeoutMs, { min: 1 })
  checkInteger('healthCheck.concurrency', concurrency, { min: 1, max: 1_000 })
  // A check that does not heed its signal goes on; a second one beside it would be one too many.
  const underWay = new WeakSet<Member<Metadata>>()

  async function rounds(): Promise<void> {
    while (!signal.aborted) {
      try {
        await clock.sleep(intervalMs * (0.5 + random.next()), signal)
      } catch {
        // Only the signal ends the pause early.
        return
      }
      const due = [...members()].filter(({ endpoint }) => endpoint.weight > 0).values()
      const lane = async () => {
        for (const member of due) if (member.isKnown && !signal.aborted) await ask(member)
      }
      await Promise.all(Array.from({ length: concurrency }, lane))
    }
  }

  async function ask(member: Member<Metadata>): Promise<void> {
    let isWell = true
    try {
      if (underWay.has(member)) throw new HeadraceError('TIMEOUT', 'the check before has not ended yet')
      await answerOf(member)
    } catch (error) {
      if (signal.aborted) return
      isWell = false
      observe?.({ type: 'check-failed', endpoint: member.endpoint.id, error })
    }
    const nowMs = clock.nowMs()
    // Where there is no work, nobody else looks at whose pause is over.
    if (nowMs >= ejection.dueMs) ejection.revive(nowMs)
    if (member.isKnown) ejection.checked(member, isWell, nowMs)
  }

  async function answerOf(member: Member<Metadata>): Promise<void> {
    const stop = new AbortController()
    const running = (async () => check(member.endpoint, stop.signal))()
    underWay.add(member)
    const end = () => void underWay.delete(member)
    running.then(end, end)
    try {
      const said = await within(clock, timeoutMs, running, { signal, what: `the check of "${member.endpoint.id}"` })
      if (said === false) throw new HeadraceError('UNAVAILABLE', `"${member.endpoint.id}" says that it is not well`)
    } catch (error) {
      stop.abort(error)
      throw error
    }
  }

  void rounds()
}
