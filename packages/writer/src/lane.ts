import { type Backoff, type Clock, HeadraceError, isHeadraceError, within } from '@headrace/core'
import { retryHintMs } from './admission.ts'
import { type Draft, draftOf } from './batch.ts'
import { type BatchTime, batchTime } from './batch-time.ts'
import type { Decide } from './decision.ts'
import type { JsonGuard } from './json.ts'
import { initialState, type KnownState, parsed, storedState } from './known-state.ts'
import type { Ownership, Term } from './ownership.ts'
import { answer, fail, isWanted, type Pending, type Remembered, reusedId } from './pending.ts'
import type { Batch, Ledger, StoredReceipt } from './store.ts'

/**
 * The one line of a partition: whatever waits when a batch has been answered is the next batch. There is no timer; under
 * low load a batch is one write, and a flood makes its batches as large as it needs them.
 */
export interface Lane<Command, Result> {
  push(pending: Pending<Command, Result>): void
  /** Takes a write that nobody waits for any more out of the line; one that is in a batch goes its way. */
  withdraw(pending: Pending<Command, Result>): void
  /** How long a write that came now would wait for its answer, from what the batches took lately; 0 on an idle lane. */
  predictMs(nowMs: number): number
  /** What to tell somebody whose deadline has passed: that depends on how far the write has come. */
  overdue(pending: Pending<Command, Result>): HeadraceError
  /** Writes that are not answered yet. */
  readonly length: number
  readonly time: Pick<BatchTime, 'fixedMs' | 'perWriteMs'>
  /** Resolves when nothing is left. */
  drained(): Promise<void>
  /** Fails what still waits, gives up what is under way, and stops. */
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
  let startedMs = 0
  let running: PromiseWithResolvers<void> | undefined
  let takingOver = false
  // Why nothing has been committed since the last success, where the lock or the store is the reason.
  let failure: unknown
  // Looking ids up costs as much as a write. A conflict at the commit says that there are repetitions about, for a while.
  let looks = 1

  async function run(): Promise<void> {
    for (let failures = 0; waiting.size > 0; inBatch = 0) {
      try {
        takingOver = true
        const term = await ownership.term(stopped.signal)
        takingOver = false
        startedMs = clock.nowMs()
        // Everything that this turn of the event loop brings joins the batch.
        await new Promise((resolve) => setImmediate(resolve))
        const batch = take()
        await carry(term, batch)
        if (batch.length > 0) time.observe(batch.length, clock.nowMs() - startedMs)
        failures = 0
        failure = undefined
      } catch (error) {
        inBatch = 0
        failure = error
        failed(error)
        if (stopped.signal.aborted) failWaiting(stopped.signal.reason)
        else if (isFinal(error)) failWaiting(error)
        else await clock.sleep(backoff(++failures), stopped.signal).catch(() => {})
      }
    }
    takingOver = false
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
    let rest: readonly Pending<Command, Result>[] = batch
    try {
      while (rest.length > 0) {
        const looked = looks > 0
        const { stateOf, receipts } = await load(term, rest)
        rest = replay(rest, receipts)
        const draft = draftOf(rest, { decide, guard, withEvents, stateOf })
        if (draft.refused.length > 0 && !looked) {
          // Whatever decide says today: an id that is known gets its receipt.
          looks = looksAfterRepetition
          continue
        }
        for (const { pending, error } of draft.refused) refuse(pending, error)
        rest = draft.writes
        if (rest.length > 0) rest = await commit(term, draft)
      }
    } catch (error) {
      // Whether a commit took effect shows when a greater token is sealed and the receipts are looked up; until then
      // the states of this term cannot be trusted.
      ownership.forfeit()
      looks = looksAfterRepetition
      waiting = new Set([...rest.filter(keepWanted), ...waiting])
      throw error
    }
  }

  /** The states that the batch needs, and the receipts of its ids where some may exist. */
  async function load(term: Term<State>, batch: readonly Pending<Command, Result>[]) {
    // What the term forgets while the batch is under way, the batch does not.
    const states = new Map<string, KnownState<State>>()
    const unknown = new Set<string>()
    for (const { key } of batch) {
      const known = states.get(key) ?? term.states.get(key)
      if (known) states.set(key, known)
      else unknown.add(key)
    }
    const ids = looks > 0 ? batch.map((pending) => pending.id) : []
    if (unknown.size === 0 && ids.length === 0) {
      return { stateOf: (key: string) => states.get(key)!, receipts: [] }
    }
    const loading = term.ledger.load([...unknown], ids)
    const loaded = await within(clock, storeTimeoutMs, loading, { signal: stopped.signal, what: 'reading the store' })
    if (loaded.receipts.length > 0) looks = looksAfterRepetition
    else if (ids.length > 0) looks--
    const rows = new Map(loaded.states.map((row) => [row.key, row]))
    const stateOf = (key: string) => {
      const row = rows.get(key)
      return states.get(key) ?? (row ? storedState<State>(row, guard) : initialState(initial, guard, key))
    }
    return { stateOf, receipts: loaded.receipts }
  }

  /** Answers the writes that were done before, and returns the others. */
  function replay(
    batch: readonly Pending<Command, Result>[],
    known: readonly StoredReceipt[],
  ): readonly Pending<Command, Result>[] {
    const receipts = new Map(known.map((receipt) => [receipt.id, receipt]))
    return batch.filter((pending) => {
      const stored = receipts.get(pending.id)
      if (stored) {
        repeat(pending, stored)
        return false
      }
      // Where an earlier attempt was sent, the token sealed since and the missing receipt say that it never takes effect.
      return keepWanted(pending)
    })
  }

  function repeat(pending: Pending<Command, Result>, stored: StoredReceipt): void {
    const { key, sequence, fingerprint } = stored
    let receipt: Remembered<Result> | undefined
    try {
      receipt = { key, sequence, fingerprint, result: parsed(stored.result, guard, 'result') as Result }
      if (key !== pending.key || fingerprint !== pending.fingerprint) fail(pending, reusedId())
      // What this lane had sent itself is no replay: its commit took effect and only the answer was lost.
      else answer(pending, receipt, !pending.sent)
    } catch (error) {
      fail(pending, error as HeadraceError)
    }
    settled(pending, receipt)
  }

  /** Commits and answers. Returns the writes that are still open because receipts of others turned up. */
  async function commit(
    term: Term<State>,
    draft: Draft<State, Command, Result>,
  ): Promise<readonly Pending<Command, Result>[]> {
    const { writes } = draft
    for (const pending of writes) pending.sent = true
    const sent: Batch = { partition, token: term.token, ...draft.rows }
    const sentMs = clock.nowMs()
    const committing = term.ledger.commit(sent)
    const outcome = await within(clock, storeTimeoutMs, committing, { signal: stopped.signal, what: 'the commit' })
    if (outcome.type === 'committed') {
      for (const [key, state] of draft.states) term.states.set(key, state)
      committed(term.ledger, sent, clock.nowMs() - sentMs)
      writes.forEach((pending, index) => {
        const receipt = draft.receipts[index]!
        answer(pending, receipt, false)
        settled(pending, receipt)
      })
      return []
    }
    for (const pending of writes) pending.sent = false
    if (outcome.type === 'known') {
      looks = looksAfterRepetition
      const open = replay(writes, outcome.receipts)
      // A store that contradicts itself must not be asked again without a pause.
      if (open.length === writes.length) throw new Error('the store refused ids as known, but has no receipts of them')
      return open
    }
    ownership.forfeit()
    const stale = new HeadraceError('STALE', 'another owner has taken the partition over; nothing was written')
    failed(stale)
    for (const pending of writes) refuse(pending, stale)
    return []
  }

  /** False for a write that nobody waits for any more; it is forgotten. */
  function keepWanted(pending: Pending<Command, Result>): boolean {
    if (isWanted(pending)) return true
    settled(pending)
    return false
  }

  function refuse(pending: Pending<Command, Result>, error: HeadraceError): void {
    fail(pending, error)
    settled(pending)
  }

  function failWaiting(error: HeadraceError): void {
    for (const pending of waiting) refuse(pending, error)
    waiting.clear()
  }

  const lane: Lane<Command, Result> = {
    push(pending) {
      waiting.add(pending)
      if (running) return
      running = Promise.withResolvers()
      void run()
    },
    withdraw(pending) {
      if (waiting.delete(pending)) settled(pending)
    },
    predictMs(nowMs) {
      // An idle lane takes what comes, whatever its last batches took: else it would never learn that it is quicker now.
      if (running === undefined) return 0
      return time.lineMs({ ahead: waiting.size + 1, batchMax, inBatch, elapsedMs: nowMs - startedMs })
    },
    overdue(pending) {
      if (pending.sent) return new HeadraceError('TIMEOUT', 'the store has not answered in time', { cause: failure })
      // One that is in a batch and not sent waits for the store as well, to read.
      if (failure !== undefined || takingOver || !waiting.has(pending)) {
        const message = 'the lock or the store could not be used in time'
        return new HeadraceError('UNAVAILABLE', message, { cause: failure })
      }
      return new HeadraceError('BUSY', 'the deadline passed in line', {
        retryAfterMs: retryHintMs(lane.predictMs(clock.nowMs())),
      })
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
  return lane
}

const looksAfterRepetition = 16

// These will be the same at the next attempt; everything else may pass.
function isFinal(error: unknown): error is HeadraceError {
  return isHeadraceError(error, 'REJECTED') || isHeadraceError(error, 'UNSUPPORTED') || isHeadraceError(error, 'CLOSED')
}
