import { checkInteger, checkNumber } from '../checks.ts'
import { type Measured, measured } from './batch-means.ts'
import { minHeap } from './heap.ts'
import { type Sampler, seededUniform } from './random.ts'

export interface SimulatedPassage {
  readonly mean: Measured
  readonly variance: Measured
}

/**
 * How long a line takes from `from` in the system to `to`, more or fewer, `runs` times over: the witness of `drain` and
 * `timeToOverflow`. Services under way at the beginning begin there.
 * @throws RangeError naming `to` where it is not reached in `eventsMax` events.
 */
export function simulatePassage(given: {
  readonly arrivals: Sampler
  readonly service: Sampler
  readonly servers: number
  readonly from: number
  readonly to: number
  readonly runs: number
  readonly seed: number
  /** Of one run; 1e8 by default. */
  readonly eventsMax?: number
}): SimulatedPassage {
  const { arrivals, service, servers, from, to, runs, seed, eventsMax = 1e8 } = given
  checkInteger('servers', servers, 1)
  checkInteger('from', from, 0)
  checkInteger('to', to, 0)
  checkInteger('runs', runs, 1)
  checkNumber('runs', runs, 100, 1e9)
  checkNumber('eventsMax', eventsMax, 1, 1e12)
  const uniform = seededUniform(seed)
  const once = () => {
    let events = 0
    const ends = minHeap()
    for (let i = 0; i < Math.min(from, servers); i++) ends.push(service(uniform))
    let [inside, now] = [from, 0]
    let arrival = arrivals(uniform)
    while (inside !== to) {
      if (events++ === eventsMax)
        throw new RangeError(`to must be reached, received ${to}, which ${eventsMax} events did not`)
      if (ends.size > 0 && ends.smallest() <= arrival) {
        now = ends.pop()
        inside -= 1
        if (inside >= servers) ends.push(now + service(uniform))
      } else {
        now = arrival
        inside += 1
        if (inside <= servers) ends.push(now + service(uniform))
        arrival = now + arrivals(uniform)
      }
    }
    return now
  }
  const times = Array.from({ length: runs }, once)
  const mean = measured(times)
  return { mean, variance: measured(times.map((time) => (time - mean.mean) ** 2)) }
}
