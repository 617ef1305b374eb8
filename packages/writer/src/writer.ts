import {
  checkKey,
  checkNumber,
  guardObserver,
  HeadraceError,
  isHeadraceError,
  partitionOf,
  throwIfAborted,
  within,
} from '@headrace/core'
import { createAdmission } from './admission.ts'
import { BoundedMap } from './bounded-map.ts'
import { Call } from './call.ts'
import { watchDeadlines } from './deadlines.ts'
import { commandText, fingerprintOf, jsonGuard } from './json.ts'
import { initialState, parsed } from './known-state.ts'
import { checkedOptions, type WriterOptions } from './options.ts'
import { orderedIds } from './ordered-id.ts'
import { createPartition } from './partition.ts'
import { type Pending, type Receipt, reusedId } from './pending.ts'
import type { Ledger } from './store.ts'

/** Takes a flood of writes to keys and brings them, in order and in batches, to a store. */
export interface Writer<State, Command, Result> extends AsyncDisposable {
  /**
   * Applies `command` to the state of `key`, once for one `id`, and resolves when that is durable. The same id with the
   * same key and command gets the same receipt, for ever; an id is made up where none is given. Writes of a key take effect
   * in the order of these calls. The command is a JSON value and must not be changed until the answer.
   *
   * An abort, like the deadline, ends the wait, and takes a write out of the line that has not been sent to the store yet.
   * @throws HeadraceError `BUSY` at once when it could not be answered in time, or when the deadline passed in line: nothing
   * happened, `retryAfterMs`; `UNAVAILABLE`: the lock or the store could not be used before the deadline, nothing happened;
   * `TIMEOUT`: the deadline passed while the store had it, it may have happened: write again with the same id to learn what
   * came of it; `STALE`: another owner took over, nothing happened; `REJECTED`: `decide` failed, the command is too long, or
   * the id was used for something else; `ABORTED` and `CLOSED`: it may have happened where it had been sent. "Nothing
   * happened" speaks of this call: an earlier one with the same id may have taken effect.
   * @throws TypeError or RangeError for an argument out of range.
   */
  write(key: string, command: Command, options?: WriteOptions): Promise<Receipt<Result>>
  /** The state of `key` as the store has it: no write that was answered is missing. @throws HeadraceError like `write`. */
  read(key: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<State>
  stats(): WriterStats
  /**
   * Refuses new calls, waits for the writes in line and their events (until `signal` aborts, at most `drainMs`), and gives
   * the leases back; the locks and the queue stay open. A second call waits for the first.
   * @throws HeadraceError `TIMEOUT`, or what the store throws, where it does not close.
   */
  close(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

export interface WriteOptions {
  /** Non-empty, at most 512 bytes. Ids that sort by time (UUID version 7) are quicker to store than random ones. */
  readonly id?: string | undefined
  /** How long the answer may take, above 0; the writer's `deadlineMs` by default. */
  readonly deadlineMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Counters since the start, and the present. */
export interface WriterStats {
  /** Calls that are not answered yet, and how long their commands are together. */
  readonly waiting: number
  readonly waitingLength: number
  /** Writes that became durable, and the commits that took. */
  readonly committed: number
  readonly batches: number
  /** Answers that were given again. */
  readonly replayed: number
  /** Calls that admission refused. */
  readonly refused: number
  /** One for each partition. A batch takes about `fixedMs + perWriteMs * its size`. */
  readonly lanes: readonly {
    readonly waiting: number
    readonly predictedMs: number
    readonly fixedMs: number
    readonly perWriteMs: number
  }[]
}

/** @throws TypeError or RangeError for an option out of range. The store is opened with the first write or read. */
export function createWriter<State, Command, Result, Event = never>(
  options: WriterOptions<State, Command, Result, Event>,
): Writer<State, Command, Result> {
  const settings = checkedOptions(options)
  const { name, initial, store, partitions, commandLengthMax, storeTimeoutMs, drainMs, clock, random } = settings
  const observe = guardObserver(settings.observe)
  const guard = jsonGuard()
  const nextId = orderedIds(clock, random)
  // Every id that is under way, and those that were lately.
  const known = new BoundedMap<Pending<Command, Result>>(settings.receiptsMax, (pending) => !pending.settled)
  const counts = { committed: 0, batches: 0, replayed: 0, refused: 0 }
  let closing: Promise<void> | undefined

  const emit: typeof observe = (event) => {
    if (event.type === 'refused') counts.refused++
    if (event.type === 'committed') {
      counts.committed += event.writes
      counts.batches++
    }
    observe?.(event)
  }
  const admission = createAdmission({ ...settings, emit })
  const lanes = Array.from({ length: partitions }, (_, partition) =>
    createPartition<State, Command, Result, Event>(partition, {
      ...settings,
      statesMax: Math.ceil(settings.statesMax / partitions),
      guard,
      openLedger,
      emit,
      settled(pending, receipt) {
        if (pending.settled) return
        pending.settled = true
        pending.command = undefined
        admission.leave(pending.length)
        pending.receipt = receipt
        if (!receipt) known.delete(pending.id)
      },
    }),
  )
  const deadlines = watchDeadlines<Call<Command, Result>>(clock, (call) => call.expire())
  const ended = (call: Call<Command, Result>, receipt?: Receipt<Result>) => {
    deadlines.delete(call)
    if (call.joined) admission.leave(0)
    if (receipt?.replayed) counts.replayed++
  }

  let opening: Promise<Ledger> | undefined
  function openLedger(): Promise<Ledger> {
    opening ??= within(clock, storeTimeoutMs, store.open(name, partitions), {
      what: 'opening the store',
      onLate: (ledger) => void ledger.close().catch(() => {}),
    }).catch((error) => {
      opening = undefined
      throw error
    })
    return opening
  }

  function checkOpen(): void {
    if (closing !== undefined) throw new HeadraceError('CLOSED', `writer "${name}" is closed`)
  }

  /** The write under way for this id, put in line where there was none; or what came of the id before. */
  function enter(key: string, id: string, command: Command, nowMs: number, deadlineMs: number) {
    const text = commandText(command)
    if (text.length > commandLengthMax) {
      const message = `the command is ${text.length} characters long, over the ${commandLengthMax} allowed`
      throw new HeadraceError('REJECTED', message)
    }
    const fingerprint = fingerprintOf(key, text)
    const { lane } = lanes[partitionOf(key, partitions)]!
    const before = known.get(id)
    if (before) {
      const { receipt } = before
      const use = receipt ?? before
      if (use.key !== key || use.fingerprint !== fingerprint) throw reusedId()
      if (receipt) return { receipt }
      admission.enter(0, Number.POSITIVE_INFINITY, lane.predictMs(nowMs))
      return { pending: before, lane, joined: true }
    }
    admission.enter(text.length, deadlineMs, lane.predictMs(nowMs))
    const pending: Pending<Command, Result> = {
      id,
      key,
      command,
      fingerprint,
      length: text.length,
      receipt: undefined,
      settled: false,
      waiter: undefined,
      joined: undefined,
      sent: false,
    }
    known.set(id, pending)
    lane.push(pending)
    return { pending, lane, joined: false }
  }

  async function shut(signal: AbortSignal | undefined): Promise<void> {
    const drained = Promise.all(lanes.map((lane) => lane.drained()))
    await within(clock, drainMs, drained, { signal, what: 'the drain' }).catch(() => {})
    const error = new HeadraceError('CLOSED', `writer "${name}" was closed before this was answered`)
    for (const { lane } of lanes) lane.stop(error)
    const ended = Promise.all(lanes.map(({ lane }) => lane.drained()))
    await within(clock, storeTimeoutMs, ended, { what: 'the end of what was under way' }).catch(() => {})
    await Promise.all(lanes.map((lane) => lane.close()))
    const ledger = await opening?.catch(() => undefined)
    if (ledger) await within(clock, storeTimeoutMs, ledger.close(), { what: 'closing the store' })
  }

  const writer: Writer<State, Command, Result> = {
    write(key, command, { id = nextId(), deadlineMs = settings.deadlineMs, signal } = {}) {
      return new Promise((resolve, reject) => {
        checkKey('key', key)
        checkKey('id', id)
        checkNumber('deadlineMs', deadlineMs, { min: Number.MIN_VALUE })
        checkOpen()
        throwIfAborted(signal, 'the write')
        const nowMs = clock.nowMs()
        const entered = enter(key, id, command, nowMs, deadlineMs)
        if (entered.receipt) {
          const { sequence, result } = entered.receipt
          counts.replayed++
          return resolve({ id, key, sequence, result, replayed: true })
        }
        const { pending, lane, joined } = entered
        const dueMs = nowMs + deadlineMs
        deadlines.add(new Call(pending, lane, { dueMs, joined, signal, resolve, reject, ended }))
      })
    },
    async read(key, { signal } = {}) {
      checkKey('key', key)
      checkOpen()
      throwIfAborted(signal, 'the read')
      admission.enter(0, Number.POSITIVE_INFINITY, 0)
      try {
        // Opening has a limit of its own.
        const loading = openLedger().then((ledger) => ledger.load([key], []))
        const { states } = await within(clock, 2 * storeTimeoutMs, loading, { signal, what: 'the read' })
        if (states[0]) return parsed(states[0].state, guard, 'state') as State
        return initialState(initial, guard, key).state
      } catch (cause) {
        throw isHeadraceError(cause)
          ? cause
          : new HeadraceError('UNAVAILABLE', 'the store could not be read', { cause })
      } finally {
        admission.leave(0)
      }
    },
    stats() {
      const { waiting, waitingLength } = admission
      const nowMs = clock.nowMs()
      return {
        ...{ waiting, waitingLength },
        ...counts,
        lanes: lanes.map(({ lane: { length, predictMs, time } }) => ({
          ...{ waiting: length, predictedMs: predictMs(nowMs) },
          ...{ fixedMs: time.fixedMs, perWriteMs: time.perWriteMs },
        })),
      }
    },
    close({ signal } = {}) {
      closing ??= shut(signal)
      return closing
    },
    [Symbol.asyncDispose]: () => writer.close(),
  }
  return writer
}
