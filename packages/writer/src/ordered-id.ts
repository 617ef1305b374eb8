import { type Clock, cryptoRandom, type Random, randomId } from '@headrace/core'

/**
 * Makes ids that sort by the time of their making: 48 bits of wall clock, 80 random bits, as 32 hexadecimal digits (the
 * layout of UUID version 7, RFC 9562, without its dashes and marks). Neighbours in time are neighbours in the index of a
 * store, where random ids touch a page each.
 */
export function orderedIds(clock: Clock, random: Random = cryptoRandom): () => string {
  let lastMs = -1
  let prefix = ''
  return () => {
    const nowMs = Math.floor(clock.wallMs())
    if (nowMs !== lastMs) {
      lastMs = nowMs
      prefix = nowMs.toString(16).padStart(12, '0')
    }
    return randomId(random, prefix)
  }
}
