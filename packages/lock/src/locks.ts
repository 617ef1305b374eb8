import {
  abortedError,
  type Clock,
  checkInteger,
  checkKey,
  checkNumber,
  cryptoRandom,
  guardObserver,
  HeadraceError,
  type Observer,
  type Random,
  randomId,
  systemClock,
  within,
} from '@headrace/core'
import { createAgenda } from './agenda.ts'
import type { LockDriver, LockState, Share } from './driver.ts'
import type { LockEvent } from './events.ts'
import type { House } from './house.ts'
import type { Lease } from './lease.ts'
import { Line } from './line.ts'
import { createLookout } from './lookout.ts'
import { createOutbox } from './outbox.ts'
import { createReclaim } from './reclaim.ts'
import { Waiter } from './waiter.ts'

export interface AcquireOptions {
  /** How long the backend keeps the key if this process dies; renewed at a third of it. 10 s by default. */
  readonly ttlMs?: number | undefined
  /** How long to wait for the key, in all; above 0. 5 s by default. */
  readonly waitMs?: number | undefined
  /** Gives up in the turn in which it aborts, while queued and while a request is out; the lease itself ignores it. */
  readonly signal?: AbortSignal | undefined
  /** Who this is, for `inspect`; at most 256 characters. */
  readonly label?: string | undefined
}

/** Leases on keys. Every lease is renewed until it is released or lost. */
export interface Locks extends AsyncDisposable {
  /**
   * Waits for its turn: first come, first served.
   * @throws HeadraceError `TIMEOUT` after `waitMs` or where the backend gives no answer, `ABORTED`, `UNAVAILABLE`,
   * `REJECTED`, `BUSY` where `waitingMax` callers wait already, `CLOSED`. Nothing stays locked by a failed call.
   */
  acquire(key: string, options?: AcquireOptions): Promise<Lease>
  /** Tries once: null where the key is held, here or elsewhere, or somebody is in line for it. @throws as `acquire` does. */
  tryAcquire(key: string, options?: Omit<AcquireOptions, 'waitMs'>): Promise<Lease | null>
  /** Runs `work` while it holds the key, and gives the key back. @throws what `acquire` or `work` throws. */
  withLock<T>(key: string, work: (lease: Lease) => Promise<T> | T, options?: AcquireOptions): Promise<T>
  /** Who holds the key and who waits for it; null where nobody does. @throws HeadraceError `UNSUPPORTED` and as `acquire`. */
  inspect(key: string): Promise<LockState | null>
  /** Gives everything back: waiters get `CLOSED`, leases abort with `LOST`. Takes at most `callMs` for each of two steps. */
  close(): Promise<void>
}

export interface LocksOptions extends Pick<AcquireOptions, 'ttlMs' | 'waitMs' | 'label'> {
  readonly clock?: Clock
  readonly random?: Random
  readonly observe?: Observer<LockEvent>
  /**
   * How often a grant goes on to the next waiter of this process before other processes get their turn, also bounded to
   * a third of the ttl. 16 by default. 0: strict order across processes, each waiter queues at the backend by itself.
   */
  readonly handoverMax?: number
  /** The longest wait for one answer of the backend. 2 s by default. */
  readonly callMs?: number
  /** The pause between two questions to a backend that cannot tell by itself; jittered. 50 ms by default. */
  readonly pollMs?: number
  /** How many callers may wait in this process, over all keys. 100,000 by default. */
  readonly waitingMax?: number
  /** `none` accepts a driver without fencing tokens: leases then carry `0n`, and nothing stops a paused holder's write. */
  readonly fencing?: 'required' | 'none'
}

const labelMax = 256

/** @throws HeadraceError `UNSUPPORTED` where the driver gives no fencing tokens and they were not waived; RangeError, TypeError. */
export function createLocks(driver: LockDriver, options: LocksOptions = {}): Locks {
  const { supports } = driver
  const { clock = systemClock, random = cryptoRandom, observe, label, handoverMax = 16 } = options
  const { ttlMs: ttlDefaultMs = Math.max(10_000, supports.ttlMinMs), waitMs: waitDefaultMs = 5_000 } = options
  const { callMs = 2_000, pollMs = 50, waitingMax = 100_000, fencing = 'required' } = options
  checkInteger('handoverMax', handoverMax, { min: 0, max: 10_000 })
  checkNumber('callMs', callMs, { min: 1 })
  checkNumber('pollMs', pollMs, { min: 1 })
  checkInteger('waitingMax', waitingMax, { min: 1 })
  const checkTtl = (ttlMs: number) => checkNumber('ttlMs', ttlMs, { min: supports.ttlMinMs, max: supports.ttlMaxMs })
  const checkWait = (waitMs: number) => checkNumber('waitMs', waitMs, { min: Number.MIN_VALUE })
  checkTtl(ttlDefaultMs)
  checkWait(waitDefaultMs)
  checkLabel(label)
  if (!supports.fencing && fencing !== 'none')
    throw new HeadraceError(
      'UNSUPPORTED',
      `${driver.name} gives no fencing tokens; to accept leases without, pass fencing: 'none'`,
    )

  const session = randomId(random)
  const remote = driver.open({
    clock,
    session,
    // A grant that crossed with the withdrawal of its waiter finds nobody: the withdrawal gives it back.
    granted: (id, held) => (lookout.find(id) ?? find(id))?.granted(held),
    lost: (id) => find(id)?.forced(),
    asked: (id) => find(id)?.asked(),
    missed: () => lookout.lookAgain(),
  })
  const agenda = createAgenda(clock)
  const outbox = createOutbox({
    driver,
    session: remote,
    clock: agenda.clock,
    callMs,
    late: ({ key, id, ttlMs }) => reclaims.reclaim(key, id, ttlMs),
  })
  const reclaims = createReclaim({ clock, agenda, outbox }, random)
  const lookout = createLookout<Line>({ clock, agenda, random, supports, pollMs })

  /** The lines that callers share, by key; with `handoverMax` 0 and for shared leases each caller has a line alone. */
  const joint = new Map<string, Line>()
  const single = new Set<Line>()
  const waiting = new Set<Waiter>()
  let closing: Promise<void> | undefined
  let ids = 0

  const house: House = {
    clock,
    random,
    agenda,
    outbox,
    lookout,
    supports,
    emit: guardObserver(observe),
    handoverMax,
    pollMs,
    callMs,
    nextId: () => `${session}.${(ids++).toString(36)}`,
    reclaim: reclaims.reclaim,
    idle(line) {
      if (!single.delete(line) && joint.get(line.key) === line) joint.delete(line.key)
    },
  }
  // What a backend tells of a holder is rare; no index is kept for it.
  const find = (id: string) => {
    for (const line of joint.values()) if (line.id === id) return line
    for (const line of single) if (line.id === id) return line
    return undefined
  }
  const lineOf = (key: string, share: Share | undefined) => {
    const joins = handoverMax > 0 && !share
    const found = joins ? joint.get(key) : undefined
    if (found) return found
    const line = new Line(house, key, share)
    if (joins) joint.set(key, line)
    else single.add(line)
    return line
  }

  const request = (key: string, own: AcquireOptions | undefined, once: boolean, share?: Share) =>
    new Promise<Lease | null>((resolve, reject) => {
      const { ttlMs = ttlDefaultMs, waitMs = waitDefaultMs, signal, label: ownLabel = label } = own ?? {}
      checkKey('key', key)
      checkTtl(ttlMs)
      checkWait(waitMs)
      checkLabel(ownLabel)
      if (closing !== undefined) throw new HeadraceError('CLOSED', 'the locks are closed')
      if (signal?.aborted) throw abortedError(signal, 'the acquisition')
      if (once && !share && joint.has(key)) return resolve(null)
      if (waiting.size >= waitingMax) throw new HeadraceError('BUSY', `${waiting.size} callers wait for locks already`)
      const line = lineOf(key, share)
      const wish = { ttlMs, waitMs, label: ownLabel, signal, once }
      line.join(new Waiter(line, wish, clock.nowMs(), agenda, waiting, resolve, reject))
    })

  const acquire = (key: string, own?: AcquireOptions) => request(key, own, false) as Promise<Lease>

  const close = async () => {
    for (const waiter of waiting) waiter.sendAway(new HeadraceError('CLOSED', 'the locks were closed'))
    await Promise.all([...joint.values(), ...single].map((line) => line.close()))
    reclaims.close()
    await within(clock, callMs, remote.close(), { what: `close at ${driver.name}` }).catch(() => {})
  }

  const locks: Locks = {
    acquire,
    tryAcquire: (key, own) => request(key, own, true),
    async withLock(key, work, own) {
      const lease = await acquire(key, own)
      try {
        return await work(lease)
      } finally {
        await lease.release()
      }
    },
    async inspect(key) {
      checkKey('key', key)
      if (closing !== undefined) throw new HeadraceError('CLOSED', 'the locks are closed')
      if (!supports.inspect) throw new HeadraceError('UNSUPPORTED', `${driver.name} cannot inspect a lock`)
      return await within(clock, callMs, remote.inspect(key), { what: `inspect at ${driver.name}` })
    },
    close() {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]: () => locks.close(),
  }
  return locks
}

function checkLabel(label: unknown): void {
  if (label === undefined) return
  if (typeof label !== 'string') throw new TypeError(`label must be a string, received ${typeof label}`)
  if (label.length > labelMax)
    throw new RangeError(`label must be at most ${labelMax} characters, received ${label.length}`)
}
