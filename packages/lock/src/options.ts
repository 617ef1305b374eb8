import {
  type Clock,
  checkInteger,
  checkNumber,
  cryptoRandom,
  describe,
  guardObserver,
  HeadraceError,
  type Observer,
  type Random,
  systemClock,
} from '@headrace/core'
import type { LockDriver, Share } from './driver.ts'
import type { LockEvent } from './events.ts'

export interface AcquireOptions {
  /** How long the backend keeps the key if this process dies; renewed at a third of it. 10 s by default. */
  readonly ttlMs?: number | undefined
  /** How long to wait for the key, in all; above 0. 5 s by default. */
  readonly waitMs?: number | undefined
  /** For how long the lease may be held in all, however well it is renewed; then it is lost. No limit by default. */
  readonly holdMaxMs?: number | undefined
  /** Gives up in the turn in which it aborts, while queued and while a request is out; the lease itself ignores it. */
  readonly signal?: AbortSignal | undefined
  /** Who this is, for `inspect`; at most 256 characters. */
  readonly label?: string | undefined
  /** `shared`: together with other shared leases of the key, but with no exclusive one. `exclusive` by default. */
  readonly mode?: 'exclusive' | 'shared' | undefined
}

export interface LocksOptions extends Pick<AcquireOptions, 'ttlMs' | 'waitMs' | 'holdMaxMs' | 'label'> {
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
  /**
   * `async-context`: a call for a key that the surrounding `withLock` holds already gets that lease instead of waiting for
   * itself. `none` by default: such a call waits until its `waitMs` has passed.
   */
  readonly reentrancy?: 'none' | 'async-context'
}

/** The options with their defaults, checked. */
export interface Settings {
  readonly clock: Clock
  readonly random: Random
  readonly emit: Observer<LockEvent> | undefined
  readonly handoverMax: number
  readonly callMs: number
  readonly pollMs: number
  readonly waitingMax: number
  readonly reentrancy: 'none' | 'async-context'
  /** One call's options with the defaults of these locks. @throws TypeError or RangeError naming the option. */
  wish(options: AcquireOptions | undefined): Wish
}

/** What one caller wants. */
export interface Wish {
  readonly ttlMs: number
  readonly waitMs: number
  readonly holdMaxMs: number
  readonly label: string | undefined
  readonly signal: AbortSignal | undefined
  readonly share: Share | undefined
}

const labelMax = 256
const readers: Share = { weight: 1, capacity: 2 ** 31 }

/** @throws HeadraceError `UNSUPPORTED`; TypeError or RangeError naming the option. */
export function readSettings(driver: LockDriver, options: LocksOptions): Settings {
  const { name, supports } = driver
  const { clock = systemClock, random = cryptoRandom, observe, handoverMax = 16, callMs = 2_000, pollMs = 50 } = options
  const { waitingMax = 100_000, fencing = 'required', reentrancy = 'none' } = options
  const { ttlMs: ttlDefaultMs = Math.max(10_000, supports.ttlMinMs), waitMs: waitDefaultMs = 5_000 } = options
  const { holdMaxMs: holdMaxDefaultMs = Number.POSITIVE_INFINITY, label: labelDefault } = options
  checkInteger('handoverMax', handoverMax, { min: 0, max: 10_000 })
  checkNumber('callMs', callMs, { min: 1 })
  checkNumber('pollMs', pollMs, { min: 1 })
  checkInteger('waitingMax', waitingMax, { min: 1 })
  checkWord('fencing', fencing, ['required', 'none'])
  checkWord('reentrancy', reentrancy, ['none', 'async-context'])
  if (!supports.fencing && fencing !== 'none')
    throw new HeadraceError(
      'UNSUPPORTED',
      `${name} gives no fencing tokens; to accept leases without, pass fencing: 'none'`,
    )

  const read = (own: AcquireOptions): Wish => {
    const { ttlMs = ttlDefaultMs, waitMs = waitDefaultMs, holdMaxMs = holdMaxDefaultMs } = own
    const { label = labelDefault, signal, mode = 'exclusive' } = own
    checkNumber('ttlMs', ttlMs, { min: supports.ttlMinMs, max: supports.ttlMaxMs })
    checkNumber('waitMs', waitMs, { min: Number.MIN_VALUE })
    checkNumber('holdMaxMs', holdMaxMs, { min: Number.MIN_VALUE, max: Number.POSITIVE_INFINITY })
    if (label !== undefined) checkLabel(label)
    if (mode === 'exclusive') return { ttlMs, waitMs, holdMaxMs, label, signal, share: undefined }
    checkWord('mode', mode, ['exclusive', 'shared'])
    checkShares(driver)
    return { ttlMs, waitMs, holdMaxMs, label, signal, share: readers }
  }
  const usual = read({})
  const wish = (own: AcquireOptions | undefined) => (own ? read(own) : usual)
  return { clock, random, emit: guardObserver(observe), handoverMax, callMs, pollMs, waitingMax, reentrancy, wish }
}

/** @throws HeadraceError `UNSUPPORTED` where the driver has only exclusive leases. */
export function checkShares({ name, supports }: LockDriver): void {
  if (!supports.shared) throw new HeadraceError('UNSUPPORTED', `${name} has only exclusive leases`)
}

function checkWord(name: string, value: unknown, words: readonly string[]): void {
  if (!words.includes(value as string)) throw new RangeError(`${name} must be ${words.join(' or ')}, received ${value}`)
}

function checkLabel(label: unknown): void {
  if (typeof label !== 'string') throw new TypeError(`label must be a string, received ${describe(label)}`)
  if (label.length > labelMax)
    throw new RangeError(`label must be at most ${labelMax} characters, received ${label.length}`)
}
