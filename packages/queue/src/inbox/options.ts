import { checkInteger, checkKey, guardObserver, type Observer } from '@headrace/core'
import type { Message } from '../message.ts'
import { toColumn } from '../sqlite/text.ts'
import { type Claim, isNew, type Range } from './watermark.ts'

/** The part of a message that an inbox looks at. */
export type Claimed = Pick<Message<unknown>, 'id' | 'key' | 'headers'>

export interface InboxOptions {
  /** Whose effects these are; 1 to 200 characters. Every consumer of the same messages has its own name. */
  readonly consumer: string
  /** What becomes of a message before which others are missing: it is `new` all the same, the default, or a `gap`. */
  readonly onGap?: 'accept' | 'refuse' | undefined
  /**
   * Ids remembered of each key, for messages without a number: a duplicate is known as such while fewer other deliveries
   * of its key came in between; 1,000.
   */
  readonly idsMax?: number | undefined
  /** Told in the middle of the transaction, which may still fail. */
  readonly observe?: Observer<InboxEvent> | undefined
}

/** What an inbox saw that was not simply new. */
export type InboxEvent = {
  readonly type: 'duplicate' | 'late' | 'missing' | 'gap'
  readonly consumer: string
  readonly id: string
  readonly key: string | undefined
  /** For `missing` and `gap`: the numbers that did not come before it. */
  readonly missing?: Range
}

/** The options with their defaults, checked; the name as it is stored. */
export interface CheckedInbox {
  readonly consumer: string
  readonly onGap: 'accept' | 'refuse'
  readonly idsMax: number
  readonly tell: (claim: Claim, message: Claimed) => void
}

export function checkedInbox(options: InboxOptions): CheckedInbox {
  const { consumer, onGap = 'accept', idsMax = 1_000, observe } = options
  checkKey('consumer', consumer)
  if (consumer.length > 200) throw new RangeError('consumer must be at most 200 characters')
  if (onGap !== 'accept' && onGap !== 'refuse') throw new RangeError('onGap must be "accept" or "refuse"')
  checkInteger('idsMax', idsMax, { min: 1 })
  const emit = guardObserver(observe)
  const tell = (claim: Claim, { id, key }: Claimed) => {
    if (claim === isNew) return
    const { type } = claim
    const missing = 'missing' in claim && claim.missing ? { missing: claim.missing } : {}
    emit?.({ type: type === 'new' ? 'missing' : type, consumer, id, key, ...missing })
  }
  return { consumer: toColumn(consumer), onGap, idsMax, tell }
}
