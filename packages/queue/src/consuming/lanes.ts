import type { Clock } from '@headrace/core'
import { createChain, type Link } from '../chain.ts'
import type { Delivery } from '../driver.ts'
import { createFifo } from '../fifo.ts'
import { usualPriority } from '../own-headers.ts'
import type { Parking, Window } from '../parking/parking.ts'
import { append, none } from './append.ts'
import type { Source } from './source.ts'

/** A delivery on its way through this process. */
export interface Item {
  readonly delivery: Delivery
  readonly source: Source
  /** The parked keys of the source. */
  readonly parking: Parking
  /** 0 to 9, the highest first. */
  readonly priority: number
  /** Wall clock from which on no handler is to have it. */
  readonly expiresAtMs: number | undefined
  /** The attempt that comes next or is under way; 1 is the first, and at 0 there is to be none: it was delivered too often. */
  attempt: number
  /** Runs without company: one poison message must not use up the attempts of others. */
  alone: boolean
  /** Runs while nothing else does: if its process ends with it, there is nobody else to blame. */
  readonly careful: boolean
  /** What its handler answered, where somebody waits for that. */
  answer: { readonly value: unknown } | undefined
  /** It was parked, and is tried again with these. */
  readonly window?: Window | undefined
}

interface Lane {
  readonly key: string | undefined
  waiting: Item[]
  state: 'ready' | 'running' | 'paused'
  /** Ends the pause. */
  cancel: (() => void) | undefined
  /** That of its most urgent message: whoever waits behind another lends it its own. */
  priority: number
  /** Since when it could be taken; not kept while all are equally urgent. */
  readyMs: number
  /** It has no message, and waits for one. */
  idle: boolean
  /** Of one without a key. */
  place: Link<Lane> | undefined
}

/** Part of a lane that runs together: its items are in order, and the lane waits for them. */
export interface Stretch {
  readonly lane: Lane
  readonly items: Item[]
}

/** Order per key, parallel across keys: each key has a lane, and of a lane one stretch runs at a time. */
export interface Lanes {
  add(item: Item): void
  /**
   * Takes up to `max` messages from lanes that are free; the lanes are taken until `resume` or `pause`. The most urgent
   * comes first, of those the one that has waited longest; a lane gains a level for each `ageMs` that it waits.
   */
  take(max: number): Stretch[]
  /** Frees the lane of a stretch. `back` goes before what waits. */
  resume(stretch: Stretch, back: readonly Item[]): void
  /** As `resume`, but the lane stays closed until the function that `wait` is given has been called. */
  pause(stretch: Stretch, back: readonly Item[], wait: (over: () => void) => () => void): void
  /** Frees the lane of a stretch and gives out what waits there. */
  clear(stretch: Stretch): readonly Item[]
  /** Forgets what waits and belongs to `source`, or everything. What runs stays. */
  drop(leaves?: (item: Item) => boolean): void
  /** Messages that could be taken now. */
  readonly ready: number
  /** Whether the one that would be taken next is to be handled with care. */
  nextIsCareful(): boolean
  /** Messages that wait, also behind a running or paused one. */
  waiting(): number
  /** Keys, and messages without one, that wait or run. */
  size(): number
  oldestAtMs(): number | undefined
}

const idleMax = 1_024

const emptyLane = (key: string | undefined, priority: number): Lane => ({
  key,
  waiting: none,
  state: 'ready',
  cancel: undefined,
  priority,
  readyMs: 0,
  idle: false,
  place: undefined,
})

export function createLanes(wake: () => void, clock: Pick<Clock, 'nowMs'>, ageMs: number): Lanes {
  const keyed = new Map<string, Lane>()
  // Some stay in the map without a message: the next of their key finds them, and no table is made anew all the time.
  let idle = 0
  const keyless = createChain<Lane>()
  // One for each priority. They also hold lanes that were emptied or have become more urgent since: taking one is in
  // constant time, and passes them over.
  const free = Array.from({ length: 10 }, () => createFifo<Lane>())
  let waiting = 0
  let allUsual = true
  // In the order of their arrival, in which the backend delivers them again if the process ends.
  const careful = new Map<Item, Lane>()

  /** Those that wait, run or pause. */
  const busy = () => [...keyed.values()].filter((lane) => !lane.idle).concat(keyless.items())
  const offer = (lane: Lane) => {
    if (!allUsual) {
      lane.readyMs = clock.nowMs()
      lane.priority = lane.waiting.reduce((most, { priority }) => Math.max(most, priority), 0)
    }
    free[lane.priority]!.push(lane)
  }
  const isFree = (lane: Lane, priority: number) =>
    lane.state === 'ready' && lane.waiting.length > 0 && lane.priority === priority

  /** The first lane of a priority, without those that are no longer free. */
  const first = (priority: number): Lane | undefined => {
    const line = free[priority]!
    let lane = line.peek(0)
    while (lane && !isFree(lane, priority)) {
      line.shift()
      lane = line.peek(0)
    }
    return lane
  }
  /** Those that are given up go first: they take no time. */
  const firstCareful = (): Lane | undefined => {
    let first: Lane | undefined
    for (const [item, lane] of careful) {
      if (lane.state !== 'ready' || lane.waiting[0] !== item) continue
      if (item.attempt === 0) return lane
      first ??= lane
    }
    return first
  }
  const next = (): Lane | undefined => (careful.size > 0 ? firstCareful() : undefined) ?? mostUrgent()
  const mostUrgent = (): Lane | undefined => {
    if (allUsual) return first(usualPriority)
    const now = clock.nowMs()
    let best: Lane | undefined
    let urgency = Number.NEGATIVE_INFINITY
    for (let priority = free.length - 1; priority >= 0; priority--) {
      const lane = first(priority)
      if (!lane) continue
      const aged = priority + Math.floor((now - lane.readyMs) / ageMs)
      if (aged < urgency || (aged === urgency && best && lane.readyMs >= best.readyMs)) continue
      best = lane
      urgency = aged
    }
    return best
  }
  /** The first of another priority than the usual: from now on it matters when a lane became free. */
  const mind = () => {
    allUsual = false
    const now = clock.nowMs()
    for (const lane of busy()) lane.readyMs = now
  }
  const forget = (lane: Lane) => {
    lane.state = 'ready'
    if (lane.place) keyless.remove(lane.place)
    else if (lane.idle) return
    else if (idle < idleMax) {
      lane.idle = true
      idle++
    } else keyed.delete(lane.key!)
  }
  const release = (lane: Lane) => {
    lane.state = 'ready'
    if (lane.waiting.length === 0) return forget(lane)
    lanes.ready += lane.waiting.length
    offer(lane)
    wake()
  }
  const putBack = (lane: Lane, back: readonly Item[]) => {
    if (back.length > 0) lane.waiting = [...back, ...lane.waiting]
    for (const item of back) if (item.careful) careful.set(item, lane)
    waiting += back.length
  }

  /** The first `max` of a lane that may run together. */
  const takeFrom = (lane: Lane, max: number): Stretch => {
    const first = lane.waiting[0]!
    // One that is handled with care goes before its turn, and its place in the line is passed over then.
    if (free[lane.priority]!.peek(0) === lane) free[lane.priority]!.shift()
    if (careful.size > 0) careful.delete(first)
    let length = 1
    while (!first.alone && length < max && lane.waiting[length]?.alone === false) length++
    lanes.ready -= lane.waiting.length
    waiting -= length
    lane.state = 'running'
    const items = lane.waiting.length === length ? lane.waiting : lane.waiting.splice(0, length)
    if (items === lane.waiting) lane.waiting = none
    return { lane, items }
  }

  // No getter: see `Chain`.
  const lanes = {
    ready: 0,
    add(item: Item) {
      const { key } = item.delivery.message
      const { priority } = item
      if (allUsual && priority !== usualPriority) mind()
      let lane = key === undefined ? undefined : keyed.get(key)
      if (!lane) {
        lane = emptyLane(key, priority)
        if (key === undefined) lane.place = keyless.add(lane)
        else keyed.set(key, lane)
      } else if (lane.idle) {
        idle--
        lane.idle = false
        lane.priority = priority
      }
      lane.waiting = append(lane.waiting, item)
      if (item.careful) careful.set(item, lane)
      waiting++
      if (lane.state !== 'ready') return
      lanes.ready++
      if (lane.waiting.length === 1) offer(lane)
      else if (priority > lane.priority) {
        lane.priority = priority
        free[priority]!.push(lane)
      }
      wake()
    },
    take(max: number) {
      let stretches: Stretch[] = none
      let taken = 0
      for (let lane = next(); lane && taken < max; lane = next()) {
        const { alone } = lane.waiting[0]!
        if (alone && taken > 0) break
        const stretch = takeFrom(lane, max - taken)
        stretches = append(stretches, stretch)
        taken += stretch.items.length
        if (alone) break
      }
      return stretches
    },
    resume({ lane }: Stretch, back: readonly Item[]) {
      putBack(lane, back)
      release(lane)
    },
    pause({ lane }: Stretch, back: readonly Item[], wait: (over: () => void) => () => void) {
      putBack(lane, back)
      lane.state = 'paused'
      lane.cancel = wait(() => {
        lane.cancel = undefined
        release(lane)
      })
    },
    clear({ lane }: Stretch) {
      const rest = lane.waiting
      for (const item of rest) careful.delete(item)
      lane.waiting = []
      waiting -= rest.length
      forget(lane)
      return rest
    },
    drop(leaves: (item: Item) => boolean = () => true) {
      for (const lane of busy()) {
        const before = lane.waiting.length
        const kept = lane.waiting.filter((item) => !leaves(item))
        if (kept.length === before && before > 0) continue
        for (const item of lane.waiting) if (leaves(item)) careful.delete(item)
        lane.waiting = kept
        waiting -= before - kept.length
        if (lane.state === 'ready') lanes.ready -= before - kept.length
        if (kept.length > 0 || lane.state === 'running') continue
        lane.cancel?.()
        forget(lane)
      }
      // Else connections that break again and again, while all handlers hang, would leave more and more of them.
      free.forEach((line, priority) => {
        for (let left = line.size; left > 0; left--) {
          const lane = line.shift()!
          if (isFree(lane, priority)) line.push(lane)
        }
      })
    },
    nextIsCareful: () => careful.size > 0 && next()?.waiting[0]?.careful === true,
    waiting: () => waiting,
    size: () => keyed.size - idle + keyless.size,
    oldestAtMs() {
      let oldest: number | undefined
      for (const lane of busy()) {
        const at = lane.waiting[0]?.delivery.message.publishedAtMs
        if (at !== undefined && (oldest === undefined || at < oldest)) oldest = at
      }
      return oldest
    },
  }
  return lanes
}
