import { poissonQuantile } from '../poisson-quantile.ts'

/** Uniform in (0, 1), never 0 and never 1. */
export type Uniform = () => number

/**
 * The same numbers for the same seed on every machine: C. Doty-Humphrey's sfc32, 128 bits of state, a period of 2^32 at the least.
 * @param seed an integer; its low 32 bits count.
 */
export function seededUniform(seed: number): Uniform {
  if (!Number.isInteger(seed)) throw new RangeError(`seed must be an integer, received ${seed}`)
  let [a, b, c, counter] = [seed | 0, 0x9e3779b9 | 0, 0x243f6a88 | 0, 1]
  const next = () => {
    const result = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + result
    return result >>> 0
  }
  // The first numbers of neighbouring seeds are alike.
  for (let i = 0; i < 16; i++) next()
  return () => (next() + 0.5) / 2 ** 32
}

/** One random time in seconds. */
export type Sampler = (uniform: Uniform) => number

export function exponentialTime(mean: number): Sampler {
  return (uniform) => -mean * Math.log(uniform())
}

export function constantTime(value: number): Sampler {
  return () => value
}

export function erlangTime(stages: number, mean: number): Sampler {
  return (uniform) => {
    let product = 1
    let sum = 0
    for (let i = 0; i < stages; i++) {
      product *= uniform()
      // Before it underflows.
      if (product < 1e-290) {
        sum -= Math.log(product)
        product = 1
      }
    }
    return ((sum - Math.log(product)) * mean) / stages
  }
}

/** `mean1` on average with probability `p`, else `mean2`. */
export function hyperexponentialTime(p: number, mean1: number, mean2: number): Sampler {
  return (uniform) => (uniform() < p ? -mean1 : -mean2) * Math.log(uniform())
}

/** Times that were measured, in their order, from the first again after the last. */
export function replayedTime(times: readonly number[]): Sampler {
  if (times.length === 0) throw new RangeError('times must not be empty')
  let at = -1
  return () => {
    at = at + 1 === times.length ? 0 : at + 1
    return times[at]!
  }
}

/** A Poisson number of arrivals, as the quantile of a uniform number: exact for any mean up to 1e15. */
export function poissonCount(mean: number): Sampler {
  return (uniform) => poissonQuantile(uniform(), mean)
}
