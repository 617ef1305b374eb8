import { abortedError, checkKey, HeadraceError, isHeadraceError, randomId, within } from '@headrace/core'
import { createAgenda } from './agenda.ts'
import type { LockDriver, LockSession } from './driver.ts'
import type { House } from './house.ts'
import { createKeyed } from './keyed.ts'
import type { Lease } from './lease.ts'
import { Line } from './line.ts'
import { createLookout } from './lookout.ts'
import type { Settings, Wish } from './options.ts'
import { createOutbox } from './outbox.ts'
import { createReclaim } from './reclaim.ts'
import { Waiter, type WaitingRoom } from './waiter.ts'

/** Where the callers of one process line up, each key for itself, in front of one session of the backend. */
export interface Reception {
  /**
   * @param wish says what the caller wants; what it throws becomes a rejection.
   * @param how `once`: takes the first answer, null where the key is held.
   */
  request(key: string, wish: () => Wish, how: 'once' | 'wait'): Promise<Lease | null>
  /** One bounded call to the backend that is no request for a lease. */
  call<T>(what: string, run: (session: LockSession) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export function createReception(driver: LockDriver, settings: Settings): Reception {
  const { supports } = driver
  const { clock, random, handoverMax, callMs, waitingMax } = settings
  const session = randomId(random)
  const remote = driver.open({
    clock,
    session,
    // A grant that crossed with the withdrawal of its waiter finds nobody: the withdrawal gives it back.
    granted: (id, held) => (lookout.find(id) ?? find(id))?.granted(held),
    first(id, leftMs) {
      const line = lookout.find(id)
      if (line) lookout.wait(line, leftMs)
    },
    lost: (id) => find(id)?.forced(),
    asked: (id) => find(id)?.asked(),
    missed: () => lookout.lookAgain(),
  })
  const agenda = createAgenda(clock)
  const outbox = createOutbox({
    driver,
    session: remote,
    clock,
    agenda,
    callMs,
    late: ({ key, id, ttlMs }) => reclaims.reclaim(key, id, ttlMs),
  })
  const reclaims = createReclaim({ clock, agenda, outbox }, random)
  const lookout = createLookout<Line>({ clock, agenda, random, supports, pollMs: settings.pollMs })

  /** The lines that callers share, by key; with `handoverMax` 0 and for shared leases each caller has a line alone. */
  const joint = createKeyed<Line>()
  const single = new Set<Line>()
  const room: WaitingRoom = { waiting: 0 }
  let closing: Promise<void> | undefined
  // Two thousand million ids of six digits, so that they are equally long: drivers may send many as one string.
  let ids = 36 ** 5

  const house: House = {
    ...settings,
    agenda,
    outbox,
    lookout,
    supports,
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
  const lineOf = (key: string, { share }: Wish) => {
    const joins = handoverMax > 0 && !share
    const found = joins ? joint.get(key) : undefined
    if (found) return found
    const line = new Line(house, key, share)
    if (joins) joint.set(key, line)
    else single.add(line)
    return line
  }
  const checkOpen = () => {
    if (closing !== undefined) throw new HeadraceError('CLOSED', 'the locks are closed')
  }
  const close = async () => {
    const error = new HeadraceError('CLOSED', 'the locks were closed')
    await Promise.all([...joint.values(), ...single].map((line) => line.close(error)))
    reclaims.close()
    // The backend forgets the session by itself when its leases end.
    await within(clock, callMs, remote.close(), { what: `close at ${driver.name}` }).catch(() => {})
  }

  return {
    request: (key, wishOf, how) =>
      new Promise((resolve, reject) => {
        const wish = wishOf()
        checkKey('key', key)
        checkOpen()
        if (wish.signal?.aborted) throw abortedError(wish.signal, 'the acquisition')
        if (how === 'once' && !wish.share && joint.get(key)) return resolve(null)
        if (room.waiting >= waitingMax)
          throw new HeadraceError('BUSY', `${room.waiting} callers wait for locks already`)
        const line = lineOf(key, wish)
        line.join(new Waiter(line, wish, how, clock.nowMs(), agenda, room, resolve, reject))
      }),
    async call(what, run) {
      checkOpen()
      try {
        return await within(clock, callMs, run(remote), { what: `${what} at ${driver.name}` })
      } catch (cause) {
        if (isHeadraceError(cause)) throw cause
        throw new HeadraceError('UNAVAILABLE', `${what} at ${driver.name} failed`, { cause })
      }
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}
