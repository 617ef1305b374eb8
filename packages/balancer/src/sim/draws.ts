import type { Random } from '@headrace/core'

/** Exponential with the given mean: the time between arrivals that know nothing of each other. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random.next()) * mean
}

/** Lognormal with the given mean and squared coefficient of variation; 0 gives the mean itself. */
export function lognormal(random: Random, mean: number, cv2: number): number {
  const variance = Math.log(1 + cv2)
  // Box and Muller, 1958; the second of the pair is not kept, so that each draw takes two numbers and stays independent.
  const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
  return mean * Math.exp(Math.sqrt(variance) * normal - variance / 2)
}

/** Draws ranks from 0 to `count` - 1, rank r with probability proportional to 1 / (r + 1)^exponent. */
export function zipf(count: number, exponent: number): (random: Random) => number {
  const cumulated = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    sum += (rank + 1) ** -exponent
    cumulated[rank] = sum
  }
  return (random) => {
    const at = random.next() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cumulated[middle]! > at) high = middle
      else low = middle + 1
    }
    return low
  }
}
