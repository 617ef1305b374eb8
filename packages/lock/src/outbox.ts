import { type Clock, HeadraceError, isHeadraceError, within } from '@headrace/core'
import type {
  AcquireRequest,
  Failed,
  LockDriver,
  LockSession,
  ReleaseRequest,
  RenewRequest,
  Standing,
} from './driver.ts'

/** Takes the answer to one request, and the moment at which the request was sent. */
export type Answered<Answer> = (answer: Answer | Failed, sentMs: number) => void

/** Sends the requests of one turn of the event loop together, and bounds every call. */
export interface Outbox {
  acquire(request: AcquireRequest, answered: Answered<Standing>): void
  renew(request: RenewRequest, answered: Answered<Standing>): void
  release(request: ReleaseRequest, answered: Answered<boolean>): void
}

interface Letter<Request, Answer> {
  readonly request: Request
  readonly answered: Answered<Answer>
}

export function createOutbox(options: {
  readonly driver: LockDriver
  readonly session: LockSession
  readonly clock: Clock
  readonly callMs: number
  /** An acquisition was given up, and the backend granted it after that. */
  readonly late: (request: AcquireRequest) => void
}): Outbox {
  const { driver, session, clock, callMs } = options
  const { batchMax } = driver.supports
  let posted = false

  const lane = <Request, Answer>(
    what: string,
    call: (requests: readonly Request[]) => Promise<readonly Answer[]>,
    late?: (request: Request, answer: Answer | undefined) => void,
  ) => {
    let waiting: Letter<Request, Answer>[] = []
    const send = async (letters: readonly Letter<Request, Answer>[]) => {
      const sentMs = clock.nowMs()
      try {
        const answers = await within(clock, callMs, call(letters.map((letter) => letter.request)), {
          what,
          onLate: (found) => {
            for (const [at, { request }] of letters.entries()) late?.(request, found[at])
          },
        })
        letters.forEach(({ answered }, at) => {
          answered(
            answers[at] ?? { state: 'failed', error: new TypeError(`${what}: no answer to request ${at}`) },
            sentMs,
          )
        })
      } catch (cause) {
        const error = isHeadraceError(cause) ? cause : new HeadraceError('UNAVAILABLE', `${what} failed`, { cause })
        for (const { answered } of letters) answered({ state: 'failed', error }, sentMs)
      }
    }
    return {
      put(request: Request, answered: Answered<Answer>) {
        waiting.push({ request, answered })
        if (posted) return
        posted = true
        process.nextTick(flush)
      },
      flush() {
        const letters = waiting
        if (letters.length === 0) return
        waiting = []
        if (letters.length <= batchMax) return void send(letters)
        for (let at = 0; at < letters.length; at += batchMax) void send(letters.slice(at, at + batchMax))
      },
    }
  }

  const releases = lane(`release at ${driver.name}`, (requests: readonly ReleaseRequest[]) => session.release(requests))
  const renewals = lane(`renew at ${driver.name}`, (requests: readonly RenewRequest[]) => session.renew(requests))
  const acquires = lane(
    `acquire at ${driver.name}`,
    (requests: readonly AcquireRequest[]) => session.acquire(requests),
    (request, answer) => {
      if (answer?.state === 'held' || answer?.state === 'queued') options.late(request)
    },
  )

  // Releases go first: a key that is given back and asked for in the same turn must be free by then.
  const flush = () => {
    posted = false
    releases.flush()
    renewals.flush()
    acquires.flush()
  }
  return { acquire: acquires.put, renew: renewals.put, release: releases.put }
}
