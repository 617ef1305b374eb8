import { checkInteger, checkNumber } from '../checks.ts'
import { type BatchMeans, batchMeans, type Measured } from './batch-means.ts'
import { minHeap } from './heap.ts'
import { type Sampler, seededUniform } from './random.ts'

export interface QueueSimulation {
  /** Time between arrivals, service time, and how long one waits before it gives up; by default for ever. */
  readonly arrivals: Sampler
  readonly service: Sampler
  readonly patience?: Sampler
  readonly servers: number
  /** Room for those waiting and in service; no limit by default. */
  readonly capacity?: number
  /** Arrivals to watch, after the first fifth as many that are let pass to forget the empty start. */
  readonly customers: number
  readonly seed: number
  /** Also measure the shares that wait, and are in the system, longer than these times. */
  readonly times?: readonly number[]
}

export interface SimulatedQueue {
  /** Of all arrivals. */
  readonly pBlock: Measured
  /** Of those that enter, as in the models. */
  readonly pWait: Measured
  readonly pAbandon: Measured
  readonly Wq: Measured
  readonly W: Measured
  /** Number that an arrival finds in the system, waiting or served. */
  readonly found: Measured
  readonly waitSf: readonly Measured[]
  readonly responseSf: readonly Measured[]
}

/**
 * One line and `servers`, first come first served, any arrivals and services, with a limit and with patience: the witness of the
 * closed forms. Arrivals are followed one by one; each knows at once when it will be served and leave, as nobody overtakes (D. V. Lindley,
 * 1952, for one server; J. Kiefer & J. Wolfowitz, 1955). About 100 ns per arrival.
 */
export function simulateQueue(given: QueueSimulation): SimulatedQueue {
  const {
    arrivals,
    service,
    patience,
    servers,
    capacity = Number.MAX_SAFE_INTEGER,
    customers,
    seed,
    times = [],
  } = given
  checkInteger('servers', servers, 1)
  checkInteger('capacity', capacity, servers)
  checkInteger('customers', customers, 1)
  checkNumber('customers', customers, 100, 1e9)
  const uniform = seededUniform(seed)
  const series = () => batchMeans(customers)
  const [blocked, waited, abandoned, waits, responses, found] = [
    series(),
    series(),
    series(),
    series(),
    series(),
    series(),
  ]
  const waitSf = times.map(series)
  const responseSf = times.map(series)
  const free = minHeap()
  for (let i = 0; i < servers; i++) free.push(0)
  const leaving = minHeap()
  const warmUp = Math.floor(customers / 5)
  let now = 0
  for (let i = 0; i < warmUp + customers; i++) {
    now += arrivals(uniform)
    while (leaving.size > 0 && leaving.smallest() <= now) leaving.pop()
    const watched = i >= warmUp
    const inside = leaving.size
    if (watched) {
      found.add(inside)
      blocked.add(Number(inside >= capacity))
    }
    if (inside >= capacity) continue
    const offered = Math.max(0, free.smallest() - now)
    const limit = patience ? patience(uniform) : Number.POSITIVE_INFINITY
    const stays = offered <= limit
    const wait = stays ? offered : limit
    const response = stays ? wait + service(uniform) : wait
    if (stays) free.replaceSmallest(now + response)
    leaving.push(now + response)
    if (!watched) continue
    waited.add(Number(wait > 0))
    abandoned.add(Number(!stays))
    waits.add(wait)
    responses.add(response)
    times.forEach((t, k) => {
      waitSf[k]!.add(Number(wait > t))
      responseSf[k]!.add(Number(response > t))
    })
  }
  const results = (list: readonly BatchMeans[]) => list.map((it) => it.result())
  return {
    pBlock: blocked.result(),
    pWait: waited.result(),
    pAbandon: abandoned.result(),
    Wq: waits.result(),
    W: responses.result(),
    found: found.result(),
    waitSf: results(waitSf),
    responseSf: results(responseSf),
  }
}
