import type { Discovery } from '@headrace/balancer'
import { type Clock, systemClock } from '@headrace/core'

/** Which game servers live, by their heartbeats: the discovery of the balancer. */
export interface Directory extends Discovery {
  /** False for a server that has been struck off: it must stop, others have its rooms. */
  beat(id: string): boolean
  leave(id: string): void
}

// Silence is counted in looks, not in milliseconds: when the whole process stood still, that is nobody's death.
const silentLooksMax = 4

export function createDirectory(options: { readonly lookMs: number; readonly clock?: Clock }): Directory {
  const { lookMs, clock = systemClock } = options
  /** The looks since the last heartbeat of each server. */
  const silent = new Map<string, number>()
  const struck = new Set<string>()

  const directory: Directory = {
    beat(id) {
      if (struck.has(id)) return false
      silent.set(id, 0)
      return true
    },
    leave(id) {
      silent.delete(id)
      struck.add(id)
    },
    async *watch(signal) {
      let known = ''
      for (;;) {
        for (const [id, looks] of silent) {
          if (looks === silentLooksMax) directory.leave(id)
          else silent.set(id, looks + 1)
        }
        const ids = [...silent.keys()].sort()
        // An empty list is said to be meant: the game is over then.
        const state = ids.length === 0 ? 'confirmed-empty' : 'fresh'
        if (known !== ids.join()) yield { endpoints: ids.map((id) => ({ address: id })), state }
        known = ids.join()
        await clock.sleep(lookMs, signal)
      }
    },
  }
  return directory
}
