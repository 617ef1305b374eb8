/**
 * The smallest integer ≥ `from` for which `holds`, a condition that stays true once it is true. Gallops away from `guess`
 * until it has both answers, then bisects: about 2 log2 of the guess's error evaluations.
 * @throws RangeError when nothing up to 2^53 - 1 holds.
 */
export function smallestInteger(holds: (n: number) => boolean, from: number, guess: number): number {
  const start = Math.min(Math.max(Math.round(guess), from), Number.MAX_SAFE_INTEGER)
  let no = from - 1
  let yes = start
  if (holds(start)) {
    for (let step = 1; yes > from; step *= 2) {
      const next = Math.max(from, yes - step)
      if (!holds(next)) {
        no = next
        break
      }
      yes = next
    }
  } else {
    no = start
    for (let step = 1; ; step *= 2) {
      yes = Math.min(no + step, Number.MAX_SAFE_INTEGER)
      if (holds(yes)) break
      if (yes === Number.MAX_SAFE_INTEGER) throw new RangeError(`no integer up to ${yes} meets the condition`)
      no = yes
    }
  }
  while (yes - no > 1) {
    const middle = no + Math.floor((yes - no) / 2)
    if (holds(middle)) yes = middle
    else no = middle
  }
  return yes
}
