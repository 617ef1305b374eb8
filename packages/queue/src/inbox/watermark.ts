/** Numbers from the first to the last, both included. */
export type Range = readonly [from: number, to: number]

/** Which messages of a key have had their effect: all up to `number` but those that are missing. */
export interface Watermark {
  readonly number: number
  /** In order, without overlaps. */
  readonly missing: readonly Range[]
}

/**
 * What an inbox says of a message.
 * - `new`: the next of its key. With `missing`, the numbers between it and the one before it, which did not come: they may
 *   still come, and are `late` then.
 * - `late`: new, too, but others of its key that were published after it have had their effect before.
 * - `duplicate`: it has had its effect.
 * - `gap`: those in `missing` did not come before it, and the inbox is to wait for them, or has no room to remember them.
 */
export type Claim =
  | { readonly type: 'new'; readonly fresh: true; readonly missing?: Range }
  | { readonly type: 'late'; readonly fresh: true }
  | { readonly type: 'duplicate'; readonly fresh: false }
  | { readonly type: 'gap'; readonly fresh: false; readonly missing: Range }

// Ranges that are remembered of a key.
export const missingMax = 1_000

export const nothing: Watermark = { number: 0, missing: [] }
export const isNew: Claim = { type: 'new', fresh: true }
export const isDuplicate: Claim = { type: 'duplicate', fresh: false }

/** @returns what to say of the message with this number, and the watermark once it has had its effect. */
export function claimOf(
  mark: Watermark,
  number: number,
  onGap: 'accept' | 'refuse',
): { readonly claim: Claim; readonly mark: Watermark } {
  if (number === mark.number + 1) return { claim: isNew, mark: { ...mark, number } }
  if (number > mark.number) {
    const missing: Range = [mark.number + 1, number - 1]
    if (onGap === 'refuse' || mark.missing.length >= missingMax) {
      return { claim: { type: 'gap', fresh: false, missing }, mark }
    }
    return { claim: { type: 'new', fresh: true, missing }, mark: { number, missing: [...mark.missing, missing] } }
  }
  const at = mark.missing.findIndex(([from, to]) => from <= number && number <= to)
  if (at === -1) return { claim: isDuplicate, mark }
  const [from, to] = mark.missing[at]!
  const rest = (
    [
      [from, number - 1],
      [number + 1, to],
    ] as Range[]
  ).filter(([first, last]) => first <= last)
  if (rest.length > 1 && mark.missing.length >= missingMax) {
    return { claim: { type: 'gap', fresh: false, missing: [from, number - 1] }, mark }
  }
  return {
    claim: { type: 'late', fresh: true },
    mark: { number: mark.number, missing: mark.missing.toSpliced(at, 1, ...rest) },
  }
}

export const toText = ({ missing }: Watermark): string => missing.map(([from, to]) => `${from}-${to}`).join(' ')

export function fromText(number: number, text: string): Watermark {
  const missing = text === '' ? [] : text.split(' ').map((range) => range.split('-').map(Number) as unknown as Range)
  return { number, missing }
}
