import { checkInteger, HeadraceError } from '@headrace/core'
import { sequenceOf } from '../sequence.ts'
import { type Claimed, checkedInbox, type InboxOptions } from './options.ts'
import { type Claim, claimOf, isDuplicate, isNew, nothing, type Watermark } from './watermark.ts'

/** An inbox for effects in the memory of this process. */
export interface MemoryInbox {
  /**
   * Runs `effect`, which must be done when it returns, if the message has not had it yet. One that throws has not happened.
   * @throws what `effect` throws, and HeadraceError `BUSY` where there is no room for another key.
   */
  apply(message: Claimed, effect: () => undefined): Claim
  readonly keys: number
}

/** @param options.keysMax keys of all sources that it can know; 1,000,000. */
export function createMemoryInbox(options: InboxOptions & { readonly keysMax?: number | undefined }): MemoryInbox {
  const { keysMax = 1_000_000 } = options
  const { onGap, idsMax, tell } = checkedInbox(options)
  checkInteger('keysMax', keysMax, { min: 1 })
  const marks = new Map<string, Watermark>()
  const windows = new Map<string, { deliveries: number; readonly seen: Map<string, number> }>()

  const checkRoom = (known: boolean) => {
    if (known || marks.size + windows.size < keysMax) return
    throw new HeadraceError('BUSY', `the inbox knows ${keysMax} keys and has no room for another`)
  }

  function byId({ key = '', id }: Claimed, effect: () => undefined): Claim {
    checkRoom(windows.has(key))
    const window = windows.get(key) ?? { deliveries: 0, seen: new Map<string, number>() }
    const at = ++window.deliveries
    const known = window.seen.has(id)
    if (!known) {
      effect()
      windows.set(key, window)
      window.seen.set(id, at)
    }
    for (const [old, delivery] of window.seen) {
      if (delivery > at - idsMax) break
      window.seen.delete(old)
    }
    return known ? isDuplicate : isNew
  }

  return {
    apply(message, effect) {
      const sequence = sequenceOf(message)
      let claim: Claim
      if (sequence) {
        const place = JSON.stringify([sequence.source, message.key ?? ''])
        checkRoom(marks.has(place))
        const judged = claimOf(marks.get(place) ?? nothing, sequence.number, onGap)
        claim = judged.claim
        if (claim.fresh) {
          effect()
          marks.set(place, judged.mark)
        }
      } else {
        claim = byId(message, effect)
      }
      tell(claim, message)
      return claim
    },
    get keys() {
      return marks.size + windows.size
    },
  }
}
