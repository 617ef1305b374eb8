import { type Backoff, type Clock, HeadraceError, isHeadraceError, within } from '@headrace/core'
import { draftOf } from './batch.ts'
import { type BatchTime, batchTime } from './batch-time.ts'
import type { Decide } from './decision.ts'
import type { JsonGuard } from './json.ts'
import type { KnownState, Ownership, Term } from './ownership.ts'
import { answer, fail, type Pending, type Remembered, reusedId } from './pending.ts'
import type { Batch, Ledger, StoredReceipt } from './store.ts'

/**
 * The one line of a partition: whatever waits when a batch has been answered is the next batch. There is no timer; under
 * low load a batch is one write, and a flood makes its batches as large as it needs them.
 */
export interface Lane<Command, Result> {
  push(pending: Pending<Command, Result>): void
  /** Takes a write that nobody waits for any more out of the line; one that is in a batch goes its way. */
  withdraw(pending: Pending<Command, Result>): void
  /** How long a write that came now would wait for its answer, from what the batches took lately. */
  predictMs(): number
  /** Why nothing has been committed since the last success, where the lock or the store is the reason. */
  readonly failure: unknown
  /** Writes that are not answered yet. */
  readonly length: number
  readonly time: Pick<BatchTime, 'fixedMs' | 'perWriteMs'>
  /** Resolves when nothing is left. */
  drained(): Promise<void>
  /** Fails what still waits, and stops. */
  stop(error: HeadraceError): void
}

export interface LaneOptions<State, Command, Result, Event> {
  readonly partition: number
  readonly ownership: Ownership<State>
  readonly decide: Decide<State, Command, Result, Event>
  readonly initial: (key: string) => State
  readonly guard: JsonGuard
  readonly withEvents: boolean
  readonly batchMax: number
  readonly storeTimeoutMs: number
  readonly backoff: Backoff
  readonly clock: Clock
  /** A write has its answer or its error; `receipt` is what is known of its id from now on. */
  readonly settled: (pending: Pending<Command, Result>, receipt?: Remembered<Result>) => void
  readonly committed: (ledger: Ledger, batch: Batch, ms: number) => void
  readonly failed: (error: unknown) => void
}

export function createLane<State, Command, Result, Event>(
  options: LaneOptions<State, Command, Result, Event>,
): Lane<Command, Result> {
  const { partition, ownership, decide, initial, guard, withEvents, batchMax, storeTimeoutMs } = options
  const { backoff, clock, settled, committed, failed } = options
  const stopped = new AbortController()
  const time = batchTime()
  // A Set keeps the order of arrival and forgets one that gives up in constant time.
  let waiting = new Set<Pending<Command, Result>>()
  let inBatch = 0
  let running: PromiseWithResolvers<void> | undefined
  let failure: unknown
  // Looking ids up costs as much as a write. A conflict at the commit says that there are repetitions about.
  let lookFirst = true

  async function run(): Promise<void> {
    for (let failures = 0; waiting.size > 0; inBatch = 0) {
      try {
        const term = await ownership.term(stopped.signal)
        const startMs = clock.nowMs()
        // Everything that this turn of the event loop brings joins the batch.
        await new Promise((resolve) => setImmediate(resolve))
        const batch = take()
        await carry(term, batch)
        if (batch.length > 0) time.observe(batch.length, clock.nowMs() - startMs)
        failures = 0
        failure = undefined
      } catch (error) {
        failure = error
        failed(error)
        if (stopped.signal.aborted) failWaiting(stopped.signal.reason)
        else if (isFinal(error)) failWaiting(error)
        else await clock.sleep(backoff(++failures), stopped.signal).catch(() => {})
      }
    }
    running?.resolve()
    running = undefined
  }

  function take(): Pending<Command, Result>[] {
    const batch: Pending<Command, Result>[] = []
    for (const pending of waiting) {
      waiting.delete(pending)
      batch.push(pending)
      if (batch.length === batchMax) break
    }
    inBatch = batch.length
    return batch
  }

  /** Answers every write of a batch, or puts the rest back in front of the line and throws. */
  async function carry(term: Term<State>, batch: Pending<Command, Result>[]): Promise<void> {
    let rest = batch
    try {
      while (rest.length > 0) {
        const { states, receipts } = await load(term, rest)
        rest = replay(rest, receipts)
        rest = await commit(term, rest, states)
      }
    } catch (error) {
      // Whether a commit took effect shows when a greater token is sealed and the receipts are looked up; until then
      // the states of this term cannot be trusted.
      ownership.forfeit()
      lookFirst = true
      waiting = new Set([...rest.filter(keepWanted), ...waiting])
      throw error
    }
  }

  /** The states that the batch needs, where there are any, and the receipts of its ids where some may exist. */
  async function load(term: Term<State>, batch: readonly Pending<Command, Result>[]) {
    const states = new Map<string, KnownState<State>>()
    const unknown = new Set<string>()
    for (const { key } of batch) {
      const known = states.get(key) ?? term.states.get(key)
      if (known) states.set(key, known)
      else unknown.add(key)
    }
    const ids = lookFirst ? batch.map((pending) => pending.id) : []
    if (unknown.size === 0 && ids.length === 0) return { states, receipts: [] }
    const loading = term.ledger.load([...unknown], ids)
    const loaded = await within(clock, storeTimeoutMs, loading, { signal: stopped.signal, what: 'reading the store' })
    for (const row of loaded.states) {
      const state = JSON.parse(row.state) as State
      guard(state, 'state')
      states.set(row.key, { sequence: row.sequence, state })
    }
    if (lookFirst) lookFirst = loaded.receipts.length > 0
    return { states, receipts: loaded.receipts }
  }

  /** Answers the writes that were done before, and returns the others. */
  function replay(
    batch: readonly Pending<Command, Result>[],
    known: readonly StoredReceipt[],
  ): Pending<Command, Result>[] {
    const receipts = new Map(known.map((receipt) => [receipt.id, receipt]))
    return batch.filter((pending) => {
      const stored = receipts.get(pending.id)
      // The token is sealed and there is no receipt: an earlier attempt can no longer take effect.
      if (!stored) {
        pending.sent = false
        return keepWanted(pending)
      }
      const { key, sequence, fingerprint } = stored
      const receipt = { key, sequence, fingerprint, result: JSON.parse(stored.result) as Result }
      if (key !== pending.key || fingerprint !== pending.fingerprint) fail(pending, reusedId())
      // What this lane had sent itself is no replay: its commit took effect and only the answer was lost.
      else answer(pending, receipt, !pending.sent)
      settled(pending, receipt)
      return false
    })
  }

  /** Decides and commits. Returns the writes that are still open because receipts of others turned up. */
  async function commit(
    term: Term<State>,
    batch: readonly Pending<Command, Result>[],
    states: ReadonlyMap<string, KnownState<State>>,
  ): Promise<Pending<Command, Result>[]> {
    const stateOf = (key: string) => states.get(key) ?? first(key)
    const draft = draftOf(batch, { decide, guard, withEvents, stateOf, failed: settled })
    if (draft.writes.length === 0) return []
    for (const { pending } of draft.writes) pending.sent = true
    const sent: Batch = { partition, token: term.token, ...draft.rows }
    const sentMs = clock.nowMs()
    const outcome = await within(clock, storeTimeoutMs, term.ledger.commit(sent), { what: 'the commit' })
    if (outcome.type === 'committed') {
      for (const [key, state] of draft.states) term.states.set(key, state)
      committed(term.ledger, sent, clock.nowMs() - sentMs)
      for (const { pending, receipt } of draft.writes) {
        answer(pending, receipt, false)
        settled(pending, receipt)
      }
      return []
    }
    const open = draft.writes.map(({ pending }) => pending)
    for (const pending of open) pending.sent = false
    if (outcome.type === 'known') {
      lookFirst = true
      return replay(open, outcome.receipts)
    }
    ownership.forfeit()
    const stale = new HeadraceError('STALE', 'another owner has taken the partition over; nothing was written')
    failed(stale)
    for (const pending of open) {
      fail(pending, stale)
      settled(pending)
    }
    return []
  }

  function first(key: string): KnownState<State> {
    try {
      const state = initial(key)
      guard(state, 'initial state')
      return { sequence: 0, state }
    } catch (cause) {
      throw new HeadraceError('REJECTED', `initial failed: ${(cause as Error)?.message ?? cause}`, { cause })
    }
  }

  /** False for a write that nobody waits for any more; it is forgotten. */
  function keepWanted(pending: Pending<Command, Result>): boolean {
    if (pending.waiters.length > 0) return true
    settled(pending)
    return false
  }

  function failWaiting(error: HeadraceError): void {
    for (const pending of waiting) {
      fail(pending, error)
      settled(pending)
    }
    waiting.clear()
  }

  return {
    push(pending) {
      waiting.add(pending)
      if (running) return
      running = Promise.withResolvers()
      void run()
    },
    withdraw(pending) {
      if (waiting.delete(pending)) settled(pending)
    },
    predictMs() {
      const ahead = waiting.size + 1
      const whole = Math.floor(ahead / batchMax)
      return time.predictMs(inBatch) + whole * time.predictMs(batchMax) + time.predictMs(ahead - whole * batchMax)
    },
    get failure() {
      return failure
    },
    get length() {
      return waiting.size + inBatch
    },
    time,
    async drained() {
      await running?.promise
    },
    stop(error) {
      stopped.abort(error)
      failWaiting(error)
    },
  }
}

// These will be the same at the next attempt; everything else may pass.
function isFinal(error: unknown): error is HeadraceError {
  return isHeadraceError(error, 'REJECTED') || isHeadraceError(error, 'UNSUPPORTED') || isHeadraceError(error, 'CLOSED')
}
