import { type Clock, checkNumber, type Random } from '@headrace/core'
import type { LockDriver, LockEvents } from '../driver.ts'
import { createLockTable } from '../lock-table.ts'

export interface Faults {
  /** A request or its answer takes from 0 to so long, each for itself. */
  readonly latencyMaxMs?: number
  /** Shares, from 0 to 1, of what gets lost on its way: a request that nobody sees, an answer to what was done, a notice. */
  readonly requestLoss?: number
  readonly answerLoss?: number
  readonly noticeLoss?: number
}

/** A lock server that exists in virtual time only, behind a network that fails as told. */
export interface SimulatedServer {
  readonly driver: LockDriver
  /** Replaces all faults; without one the network is perfect. */
  fail(faults: Faults): void
  /** Forgets who holds and who waits, as a restart without persistence does. Tokens go on. */
  wipe(): void
  /** What arrives waits until `resume`. */
  pause(): void
  resume(): void
  /** Keys about which the server knows something. */
  readonly size: number
}

// After a notice was lost the client finds its connection broken, within so long.
const reconnectMaxMs = 200

/** @param options.random decides everything that is left to chance: the same seed is the same run. */
export function simulatedServer(options: { readonly clock: Clock; readonly random: Random } & Faults): SimulatedServer {
  const { clock, random } = options
  const sessions = new Map<string, LockEvents>()
  let faults: Required<Faults>
  let paused: (() => void)[] | undefined

  const fail = ({ latencyMaxMs = 0, requestLoss = 0, answerLoss = 0, noticeLoss = 0 }: Faults) => {
    checkNumber('latencyMaxMs', latencyMaxMs, { min: 0 })
    for (const [name, share] of Object.entries({ requestLoss, answerLoss, noticeLoss }))
      checkNumber(name, share, { min: 0, max: 1 })
    faults = { latencyMaxMs, requestLoss, answerLoss, noticeLoss }
  }
  fail(options)
  const travel = () => clock.sleep(random.next() * faults.latencyMaxMs)
  /** A connection that breaks says so, or, as often, says nothing for ever. */
  const broken = (): Promise<never> =>
    random.next() < 0.5 ? Promise.reject(new Error('the connection broke')) : new Promise(() => {})

  const tell = async (id: string, notice: (events: LockEvents) => void) => {
    const lost = random.next() < faults.noticeLoss
    await (lost ? clock.sleep(random.next() * reconnectMaxMs) : travel())
    const events = sessions.get(id.slice(0, id.indexOf('.')))
    if (!events) return
    if (lost) events.missed()
    else notice(events)
  }
  const table = createLockTable(clock.nowMs, {
    granted(id, held) {
      const sinceMs = clock.nowMs()
      void tell(id, (events) => events.granted(id, { ...held, sinceMs }))
    },
    lost: (id) => void tell(id, (events) => events.lost(id)),
    asked: (id) => void tell(id, (events) => events.asked(id)),
  })
  const call = async <T>(work: () => T): Promise<T> => {
    const lost = random.next()
    await travel()
    if (lost < faults.requestLoss) return await broken()
    if (paused) await new Promise<void>((resolve) => paused?.push(resolve))
    const answer = work()
    if (lost < faults.requestLoss + faults.answerLoss) return await broken()
    await travel()
    return answer
  }

  return {
    driver: {
      name: 'simulated',
      supports: {
        fencing: true,
        queue: 'pushed',
        shared: true,
        inspect: true,
        evict: true,
        batchMax: 100,
        ttlMinMs: 1,
        ttlMaxMs: Number.MAX_SAFE_INTEGER,
      },
      open(events) {
        sessions.set(events.session, events)
        return {
          acquire: (requests) => call(() => requests.map(table.acquire)),
          renew: (requests) => call(() => requests.map(table.renew)),
          release: (requests) => call(() => requests.map(({ key, id }) => table.release(key, id))),
          inspect: (key) => call(() => table.inspect(key)),
          evict: (key, how) => call(() => table.evict(key, how)),
          async close() {
            sessions.delete(events.session)
          },
        }
      },
    },
    fail,
    wipe: table.wipe,
    pause() {
      paused ??= []
    },
    resume() {
      const arrived = paused ?? []
      paused = undefined
      for (const go of arrived) go()
    },
    get size() {
      return table.size
    },
  }
}
