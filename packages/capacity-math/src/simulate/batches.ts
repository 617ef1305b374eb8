import { checkInteger, checkNumber } from '../checks.ts'
import { batchMeans, type Measured } from './batch-means.ts'
import { type Sampler, seededUniform } from './random.ts'

export interface SimulatedBatches {
  readonly Wq: Measured
  readonly W: Measured
  readonly pWait: Measured
  readonly waitSf: readonly Measured[]
  readonly meanBatch: Measured
}

interface BatchSimulation {
  readonly arrivals: Sampler
  readonly maxBatch: number
  readonly customers: number
  readonly seed: number
  readonly times?: readonly number[]
}

/** A writer that commits whatever waits, up to `maxBatch`, one commit after the other: the witness of `batchService`. */
export function simulateBatchWriter(given: BatchSimulation & { readonly commit: Sampler }): SimulatedBatches {
  const { arrivals, commit, maxBatch } = given
  const uniform = seededUniform(given.seed)
  let free = 0
  let next = arrivals(uniform)
  return follow(given, () => {
    // An idle writer begins with the first that comes, a busy one with those that have come by its end.
    const begin = Math.max(free, next)
    const came: number[] = []
    while (came.length < maxBatch && (next <= begin || came.length === 0)) {
      came.push(next)
      next += arrivals(uniform)
    }
    free = begin + commit(uniform)
    return { came, begin, end: free }
  })
}

/** A buffer flushed every `interval` seconds, at most `maxBatch` at once: the witness of `periodicFlush`. */
export function simulateFlush(given: BatchSimulation & { readonly interval: number }): SimulatedBatches {
  const { arrivals, interval, maxBatch } = given
  const uniform = seededUniform(given.seed)
  let flush = 0
  let next = arrivals(uniform)
  return follow(given, () => {
    const came: number[] = []
    while (came.length === 0) {
      flush = Math.max(flush + interval, Math.floor(next / interval) * interval)
      while (came.length < maxBatch && next <= flush) {
        came.push(next)
        next += arrivals(uniform)
      }
    }
    return { came, begin: flush, end: flush }
  })
}

interface Batch {
  readonly came: readonly number[]
  readonly begin: number
  readonly end: number
}

function follow({ customers, maxBatch, times = [] }: BatchSimulation, step: () => Batch): SimulatedBatches {
  checkInteger('customers', customers, 1)
  checkNumber('customers', customers, 100, 1e9)
  checkInteger('maxBatch', maxBatch, 1)
  const [waits, responses, waited] = [batchMeans(customers), batchMeans(customers), batchMeans(customers)]
  const waitSf = times.map(() => batchMeans(customers))
  // Of batches it is known only afterwards how many there are; their sizes are seen by the writes, and turned round.
  const inverse = batchMeans(customers)
  const warmUp = Math.floor(customers / 5)
  let seen = 0
  while (seen < warmUp + customers) {
    const { came, begin, end } = step()
    for (const at of came) {
      seen += 1
      if (seen <= warmUp || seen > warmUp + customers) continue
      waits.add(begin - at)
      responses.add(end - at)
      waited.add(Number(begin > at))
      inverse.add(1 / came.length)
      times.forEach((t, k) => {
        waitSf[k]!.add(Number(begin - at > t))
      })
    }
  }
  const { mean, error } = inverse.result()
  return {
    Wq: waits.result(),
    W: responses.result(),
    pWait: waited.result(),
    waitSf: waitSf.map((it) => it.result()),
    meanBatch: { mean: 1 / mean, error: error / mean ** 2 },
  }
}

/** The share that a token bucket drops, of arrivals as sampled: the witness of `tokenBucketLoss`. */
export function simulateTokenBucket(given: {
  readonly arrivals: Sampler
  readonly rate: number
  readonly burst: number
  readonly customers: number
  readonly seed: number
}): Measured {
  const { arrivals, rate, burst, customers, seed } = given
  checkInteger('customers', customers, 1)
  checkNumber('customers', customers, 100, 1e9)
  const uniform = seededUniform(seed)
  const dropped = batchMeans(customers)
  const warmUp = Math.floor(customers / 5)
  let tokens = burst
  for (let i = 0; i < warmUp + customers; i++) {
    tokens = Math.min(burst, tokens + rate * arrivals(uniform))
    const passes = tokens >= 1
    if (passes) tokens -= 1
    if (i >= warmUp) dropped.add(Number(!passes))
  }
  return dropped.result()
}
