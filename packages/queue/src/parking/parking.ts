import type { Item } from '../consuming/lanes.ts'
import type { Source } from '../consuming/source.ts'
import type { DeadInfo, Delivery, Settlement } from '../driver.ts'
import type { QueueEvent } from '../events.ts'
import { type Command, commandOf } from './parked-keys.ts'

/** The parked keys of one subscription. Nobody else parks or unparks there, because nobody else is active. */
export interface Parking {
  readonly source: Source
  has(key: string | undefined): boolean
  /** Keys that were parked before this subscription. */
  found(keys: readonly string[]): void
  /** Parks the key of a message that was given up; false where it cannot. */
  park(item: Item, because: DeadInfo): boolean
  /** Puts a message behind the parked ones of its key; one of them stays where it is. */
  follow(item: Item): void
  /** Does what an operator wants done with a key, if the delivery says so. */
  obey(delivery: Delivery): boolean
}

/** Parked messages of a key that are tried again together: a bound for the memory, as the backlog has none but the queue's. */
export interface Window {
  /** One of them is settled, or stays parked. */
  leave(stays: boolean): void
}

interface ParkedState {
  /** Messages that were put behind the others, and how many of them are not stored there yet. */
  moves: number
  moving: number
  idle: (() => void) | undefined
  readonly commands: Command[]
  obeying: boolean
}

export function createParking(
  source: Source,
  context: {
    readonly queue: string
    readonly parkedKeysMax: number
    readonly windowMax: number
    readonly redeliveriesMax: number
    readonly emit: ((event: QueueEvent) => void) | undefined
    /** Hands a parked message to its lane. */
    tryAgain(delivery: Delivery, window: Window): void
    /** Settles one that an operator has given up. */
    skip(delivery: Delivery, window: Window, command: Command): void
    readonly stopping: () => boolean
  },
): Parking {
  const { queue, parkedKeysMax, windowMax, redeliveriesMax, emit, tryAgain, skip, stopping } = context
  const parked = new Map<string, ParkedState>()
  // One window at a time, whatever its key: a backend may have to hold all that is parked while some of it is out.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work)
    last = result.catch(() => {})
    return result
  }
  const add = (key: string) => {
    const state: ParkedState = { moves: 0, moving: 0, idle: undefined, commands: [], obeying: false }
    parked.set(key, state)
    return state
  }

  function move({ delivery: { tag, message }, window }: Item, park: Settlement['park'], stored?: () => void): void {
    const state = parked.get(message.key!)!
    if (window) {
      source.settle({ tag, park }, () => {
        stored?.()
        window.leave(true)
      })
      return
    }
    state.moves++
    state.moving++
    source.settle({ tag, park }, () => {
      stored?.()
      if (--state.moving === 0) state.idle?.()
    })
  }

  async function obeyAll(key: string, state: ParkedState): Promise<void> {
    if (state.obeying) return
    state.obeying = true
    for (let command = state.commands.shift(); command; command = state.commands.shift()) {
      if (parked.get(key) === state) await unpark(key, state, command)
      // It comes again with the rest: a command counts as long as it is not done.
      if (source.ended || stopping()) return
      source.settle({ tag: command.tag })
    }
    state.obeying = false
  }

  /** Tries window after window, until one stays parked or there is none left. */
  async function unpark(key: string, state: ParkedState, command: Command): Promise<void> {
    for (;;) {
      const { moves, moving } = state
      const outcome = await inTurn(() => tryWindow(key, command))
      if (outcome === 'stays' || source.ended || stopping()) return
      if (outcome === 'tried') continue
      // What was on its way behind them when we looked is older than what comes next.
      if (moving === 0 && state.moves === moves) break
      if (state.moving > 0) await new Promise<void>((resolve) => (state.idle = resolve))
    }
    parked.delete(key)
    emit?.({ type: 'unparked', queue, key })
  }

  async function tryWindow(key: string, command: Command): Promise<'none' | 'tried' | 'stays'> {
    if (source.ended || stopping()) return 'none'
    const deliveries = await source.unpark(key, windowMax)
    if (deliveries.length === 0 || source.ended || stopping()) return 'none'
    return (await tried(deliveries, command)) ? 'stays' : 'tried'
  }

  /** Whether one of them stays parked, and with it those behind it. */
  const tried = (deliveries: readonly Delivery[], command: Command) =>
    new Promise<boolean>((resolve) => {
      let left = deliveries.length
      let stay = false
      const window: Window = {
        leave(stays) {
          stay ||= stays
          if (--left === 0) resolve(stay)
        },
      }
      for (const delivery of deliveries) {
        // Named, so that a command that is obeyed again after a crash does not skip the next one, too.
        if (command.what === 'skip' && delivery.message.id === command.id) skip(delivery, window, command)
        else tryAgain(delivery, window)
      }
    })

  return {
    source,
    has: (key) => parked.size > 0 && key !== undefined && parked.has(key),
    found(keys) {
      for (const key of keys) add(key)
    },
    park(item, because) {
      const { id, key } = item.delivery.message
      if (key === undefined) return false
      if (!parked.has(key)) {
        if (parked.size >= parkedKeysMax) return false
        add(key)
      }
      const { attempts, error } = because
      move(item, { because }, () => emit?.({ type: 'parked', queue, id, key, attempts, error }))
      return true
    },
    follow: (item) => move(item, {}),
    obey(delivery) {
      const command = commandOf(delivery)
      if (!command) return false
      const state = parked.get(command.key)
      // One that is cut short each time kills the process with what it unparks.
      if (!state || !command.what || delivery.redeliveries >= redeliveriesMax) source.settle({ tag: command.tag })
      else {
        state.commands.push(command)
        void obeyAll(command.key, state)
      }
      return true
    },
  }
}
