import { HeadraceError } from '@headrace/core'

/** What a write comes to. */
export interface Receipt<Result> {
  readonly id: string
  readonly key: string
  /** Which write of its key this was, counted from 1. */
  readonly sequence: number
  readonly result: Result
  /** True where the id had been written before: this is what came of it then. */
  readonly replayed: boolean
}

/** A receipt as it is remembered: without what differs from answer to answer. */
export interface Remembered<Result> {
  readonly key: string
  readonly sequence: number
  readonly fingerprint: string
  readonly result: Result
}

/** One caller that waits for the answer of a write. */
export interface Waiter<Result> {
  readonly dueMs: number
  /** The id was already under way when this call came. */
  readonly joined: boolean
  resolve(receipt: Receipt<Result>): void
  reject(error: unknown): void
}

/** A write on its way through a lane, with everybody who waits for it: calls with the same id share one. */
export interface Pending<Command, Result> {
  readonly id: string
  readonly key: string
  readonly command: Command
  readonly fingerprint: string
  readonly length: number
  /** One for each call that still waits; a call that gives up leaves. */
  waiters: readonly Waiter<Result>[]
  /** A commit that carries it has been sent and not been answered for certain: it may have happened. */
  sent: boolean
}

export function answer<Result>(
  pending: Pending<unknown, Result>,
  { sequence, result }: Remembered<Result>,
  replayed: boolean,
): void {
  const { id, key, waiters } = pending
  for (const waiter of waiters) waiter.resolve({ id, key, sequence, result, replayed: replayed || waiter.joined })
}

export function fail(pending: Pending<unknown, unknown>, error: HeadraceError): void {
  for (const waiter of pending.waiters) waiter.reject(error)
}

export const reusedId = (): HeadraceError =>
  new HeadraceError('REJECTED', 'the id was used before for another key or another command')
