import type { Delivery } from './driver.ts'
import { createFifo } from './fifo.ts'
import type { Source } from './source.ts'

/** A delivery on its way through this process. */
export interface Item {
  readonly delivery: Delivery
  readonly source: Source
  /** The attempt that comes next or is under way; 1 is the first. */
  attempt: number
  /** It failed inside a batch, so that it is tried without company: one poison message must not use up the attempts of others. */
  alone: boolean
}

interface Lane {
  readonly key: string | undefined
  waiting: Item[]
  state: 'ready' | 'running' | 'paused'
  /** Ends the pause. */
  cancel?: (() => void) | undefined
}

/** Part of a lane that runs together: its items are in order, and the lane waits for them. */
export interface Stretch {
  readonly lane: Lane
  readonly items: Item[]
}

/** Order per key, parallel across keys: each key has a lane, and of a lane one stretch runs at a time. */
export interface Lanes {
  add(item: Item): void
  /** Takes up to `max` messages from lanes that are free, oldest lane first; the lanes are taken until `resume` or `pause`. */
  take(max: number): Stretch[]
  /** Frees the lane of a stretch. `back` goes before what waits. */
  resume(stretch: Stretch, back: readonly Item[]): void
  /** As `resume`, but the lane stays closed until the function that `wait` is given has been called. */
  pause(stretch: Stretch, back: readonly Item[], wait: (over: () => void) => () => void): void
  /** Forgets what waits and belongs to `source`, or everything. What runs stays. */
  drop(source?: Source): void
  /** Messages that could be taken now. */
  readonly ready: number
  /** Messages that wait, also behind a running or paused one. */
  readonly waiting: number
  readonly oldestAtMs: number | undefined
}

export function createLanes(wake: () => void): Lanes {
  const keyed = new Map<string, Lane>()
  const all = new Set<Lane>()
  // Also holds lanes that were emptied since: taking one is in constant time, and passes them over.
  const free = createFifo<Lane>()
  let ready = 0
  let waiting = 0

  const release = (lane: Lane) => {
    lane.state = 'ready'
    if (lane.waiting.length > 0) {
      ready += lane.waiting.length
      free.push(lane)
      return wake()
    }
    all.delete(lane)
    if (lane.key !== undefined) keyed.delete(lane.key)
  }
  const putBack = (lane: Lane, back: readonly Item[]) => {
    if (back.length > 0) lane.waiting = [...back, ...lane.waiting]
    waiting += back.length
  }

  return {
    add(item) {
      const { key } = item.delivery.message
      let lane = key === undefined ? undefined : keyed.get(key)
      if (!lane) {
        lane = { key, waiting: [], state: 'ready' }
        all.add(lane)
        if (key !== undefined) keyed.set(key, lane)
      }
      lane.waiting.push(item)
      waiting++
      if (lane.state !== 'ready') return
      ready++
      if (lane.waiting.length === 1) free.push(lane)
      wake()
    },
    take(max) {
      const stretches: Stretch[] = []
      let taken = 0
      for (let lane = free.peek(0); lane && taken < max; lane = free.peek(0)) {
        const [first] = lane.waiting
        if (!first || lane.state !== 'ready') {
          free.shift()
          continue
        }
        const { alone } = first
        if (alone && taken > 0) break
        free.shift()
        let length = 1
        while (!alone && taken + length < max && lane.waiting[length]?.alone === false) length++
        ready -= lane.waiting.length
        waiting -= length
        taken += length
        lane.state = 'running'
        const items = lane.waiting.length === length ? lane.waiting : lane.waiting.splice(0, length)
        if (items === lane.waiting) lane.waiting = []
        stretches.push({ lane, items })
        if (alone) break
      }
      return stretches
    },
    resume({ lane }, back) {
      putBack(lane, back)
      release(lane)
    },
    pause({ lane }, back, wait) {
      putBack(lane, back)
      lane.state = 'paused'
      lane.cancel = wait(() => {
        lane.cancel = undefined
        release(lane)
      })
    },
    drop(source) {
      for (const lane of all) {
        const before = lane.waiting.length
        const kept = source ? lane.waiting.filter((item) => item.source !== source) : []
        if (kept.length === before && before > 0) continue
        lane.waiting = kept
        waiting -= before - kept.length
        if (lane.state === 'ready') ready -= before - kept.length
        if (kept.length > 0 || lane.state === 'running') continue
        lane.cancel?.()
        all.delete(lane)
        if (lane.key !== undefined) keyed.delete(lane.key)
      }
    },
    get ready() {
      return ready
    },
    get waiting() {
      return waiting
    },
    get oldestAtMs() {
      let oldest: number | undefined
      for (const lane of all) {
        const at = lane.waiting[0]?.delivery.message.publishedAtMs
        if (at !== undefined && (oldest === undefined || at < oldest)) oldest = at
      }
      return oldest
    },
  }
}
