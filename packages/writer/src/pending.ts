import { HeadraceError } from '@headrace/core'

/** What a write comes to. */
export interface Receipt<Result> {
  readonly id: string
  readonly key: string
  /** Which write of its key this was, counted from 1. */
  readonly sequence: number
  /** Frozen: everybody who asks for this id is given the same. */
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
  resolve(receipt: Receipt<Result>): void
  reject(error: unknown): void
}

/** A write on its way through a lane, with everybody who waits for it: calls with the same id share one. */
export interface Pending<Command, Result> {
  readonly id: string
  readonly key: string
  /** Undefined once it is settled: what is remembered of a write is its receipt, and commands can be long. */
  command: Command | undefined
  readonly fingerprint: string
  readonly length: number
  /** What came of it; it stays in memory for those who ask again. */
  receipt: Remembered<Result> | undefined
  /** It has left the lane. */
  settled: boolean
  /** The call that brought it, unless that gave up. */
  waiter: Waiter<Result> | undefined
  /** The calls that came with the same id while it was under way, and have not given up. */
  joined: Set<Waiter<Result>> | undefined
  /** A commit that carries it has been sent and not been answered for certain: it may have happened. */
  sent: boolean
}

export function isWanted(pending: Pending<unknown, unknown>): boolean {
  return pending.waiter !== undefined || (pending.joined !== undefined && pending.joined.size > 0)
}

export function answer<Result>(
  pending: Pending<unknown, Result>,
  { sequence, result }: Remembered<Result>,
  replayed: boolean,
): void {
  const { id, key, waiter, joined } = pending
  waiter?.resolve({ id, key, sequence, result, replayed })
  if (joined) for (const other of joined) other.resolve({ id, key, sequence, result, replayed: true })
}

export function fail({ waiter, joined }: Pending<unknown, unknown>, error: HeadraceError): void {
  waiter?.reject(error)
  if (joined) for (const other of joined) other.reject(error)
}

export const reusedId = (): HeadraceError =>
  new HeadraceError('REJECTED', 'the id was used before for another key or another command')
