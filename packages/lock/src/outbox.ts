import { type Clock, HeadraceError, isHeadraceError } from '@headrace/core'
import type { Agenda, Due } from './agenda.ts'
import type {
  AcquireRequest,
  Failed,
  LockDriver,
  LockSession,
  ReleaseRequest,
  RenewRequest,
  Standing,
} from './driver.ts'

/** Takes the answer to its request, and the moment at which that was sent. */
export interface Recipient<Request, Answer> {
  answered(answer: Answer | Failed, sentMs: number, request: Request): void
}

/** Sends the requests of one turn of the event loop together, and bounds every call. */
export interface Outbox {
  acquire(request: AcquireRequest, to: Recipient<AcquireRequest, Standing>): void
  renew(request: RenewRequest, to: Recipient<RenewRequest, Standing>): void
  release(request: ReleaseRequest, to: Recipient<ReleaseRequest, boolean>): void
}

export function createOutbox(options: {
  readonly driver: LockDriver
  readonly session: LockSession
  readonly clock: Clock
  readonly agenda: Agenda
  readonly callMs: number
  /** An acquisition was given up, and the backend granted it after that. */
  readonly late: (request: AcquireRequest) => void
}): Outbox {
  const { driver, session, clock, agenda, callMs, late } = options
  const { batchMax } = driver.supports
  let posted = false

  const lane = <Request, Answer extends Standing | boolean>(
    what: string,
    call: (requests: readonly Request[]) => Promise<readonly Answer[]>,
    onLate?: (requests: readonly Request[], answers: readonly Answer[]) => void,
  ) => {
    const failure = (cause: unknown): Failed => ({
      state: 'failed',
      error: isHeadraceError(cause) ? cause : new HeadraceError('UNAVAILABLE', `${what} failed`, { cause }),
    })
    /** The failure of one request of a batch is told like that of all of it. */
    const wrapped = (answer: Answer) =>
      typeof answer === 'object' && answer.state === 'failed' ? failure(answer.error) : answer
    let requests: Request[] = []
    let recipients: Recipient<Request, Answer>[] = []
    const send = (sent: readonly Request[], to: readonly Recipient<Request, Answer>[]) => {
      const sentMs = clock.nowMs()
      let over = false
      const tell = (answers: readonly Answer[], failed?: Failed) => {
        over = true
        agenda.cancel(limit)
        for (let at = 0; at < sent.length; at++) to[at]!.answered(failed ?? wrapped(answers[at]!), sentMs, sent[at]!)
      }
      const fail = (cause: unknown) => {
        if (!over) tell([], failure(cause))
      }
      // As `within` of core does it, without a promise, a signal and a timer of its own for each call.
      const limit: Due = {
        atMs: 0,
        place: -1,
        due: () => fail(new HeadraceError('TIMEOUT', `${what} gave no answer within ${callMs} ms`)),
      }
      agenda.set(limit, sentMs + callMs)
      try {
        Promise.resolve(call(sent)).then((answers) => {
          if (over) onLate?.(sent, answers ?? [])
          else if (answers?.length === sent.length) tell(answers)
          else {
            const error = new TypeError(`${what}: ${sent.length} requests got ${answers?.length} answers`)
            tell([], { state: 'failed', error })
          }
        }, fail)
      } catch (cause) {
        fail(cause)
      }
    }
    return {
      put(request: Request, to: Recipient<Request, Answer>) {
        requests.push(request)
        recipients.push(to)
        if (posted) return
        posted = true
        process.nextTick(flush)
      },
      flush() {
        if (requests.length === 0) return
        const sent = requests
        const to = recipients
        requests = []
        recipients = []
        if (sent.length <= batchMax) return send(sent, to)
        for (let at = 0; at < sent.length; at += batchMax)
          send(sent.slice(at, at + batchMax), to.slice(at, at + batchMax))
      },
    }
  }

  const releases = lane(`release at ${driver.name}`, (requests: readonly ReleaseRequest[]) => session.release(requests))
  const renewals = lane(`renew at ${driver.name}`, (requests: readonly RenewRequest[]) => session.renew(requests))
  const acquires = lane(
    `acquire at ${driver.name}`,
    (requests: readonly AcquireRequest[]) => session.acquire(requests),
    (requests, answers) => {
      for (const [at, answer] of answers.entries())
        if (answer.state === 'held' || answer.state === 'queued') late(requests[at]!)
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
