import { checkInteger, checkNumber, magnitudeMax } from '../checks.ts'
import { batchMeans, type Measured } from './batch-means.ts'
import { eventCalendar } from './calendar.ts'
import { minHeap } from './heap.ts'
import { type Sampler, seededUniform } from './random.ts'

export interface SimulatedRetries {
  /** Attempts per second, first ones and retries. */
  readonly attempts: Measured
  /** Share of the attempts that outlast the timeout. */
  readonly late: Measured
}

/**
 * Clients that give an attempt up after `timeout` seconds and send the next, while servers still do the work of the first, as they do not
 * know: the witness of `retryStorm`, and of what it leaves out: begin with a `backlog`, or let clients `pause` before they retry.
 */
export function simulateRetries(given: {
  /** Of requests, without their retries. */
  readonly arrivals: Sampler
  readonly service: Sampler
  /** 1 by default. */
  readonly servers?: number
  readonly timeout: number
  readonly maxRetries: number
  /** From a timeout to the next attempt; nothing by default. */
  readonly pause?: Sampler
  /** Attempts that wait when it begins, of clients that are gone; 0 by default. */
  readonly backlog?: number
  /** Attempts to watch, after the first fifth as many. */
  readonly customers: number
  readonly seed: number
}): SimulatedRetries {
  const { arrivals, service, servers = 1, timeout, maxRetries, pause, backlog = 0, customers, seed } = given
  checkInteger('servers', servers, 1)
  checkNumber('timeout', timeout, 0, magnitudeMax)
  checkInteger('maxRetries', maxRetries, 0)
  checkInteger('backlog', backlog, 0)
  checkInteger('customers', customers, 1)
  checkNumber('customers', customers, 1000, 1e9)
  const uniform = seededUniform(seed)
  const free = minHeap()
  for (let i = 0; i < servers; i++) free.push(0)
  const served = (at: number) => {
    const end = Math.max(at, free.smallest()) + service(uniform)
    free.replaceSmallest(end)
    return end
  }
  for (let i = 0; i < backlog; i++) served(0)
  // What is scheduled is an attempt with so many more after it.
  const retries = eventCalendar()
  let request = arrivals(uniform)
  const attempt = () => {
    const first = request <= retries.nextAt()
    const { at, what } = first ? { at: request, what: maxRetries } : retries.next()
    if (first) request += arrivals(uniform)
    const isLate = served(at) - at > timeout
    if (isLate && what > 0) retries.schedule(at + timeout + (pause?.(uniform) ?? 0), what - 1)
    return { at, isLate }
  }
  let now = 0
  for (let i = 0; i < customers / 5; i++) now = attempt().at
  const late = batchMeans(customers)
  const batches = 30
  const rates = batchMeans(batches)
  for (let b = 0; b < batches; b++) {
    const start = now
    const count = Math.floor(customers / batches)
    for (let i = 0; i < count; i++) {
      const { at, isLate } = attempt()
      late.add(Number(isLate))
      now = at
    }
    rates.add(count / (now - start))
  }
  return { attempts: rates.result(), late: late.result() }
}
