import { checkInteger, checkNumber } from '../checks.ts'
import { type Measured, measured } from './batch-means.ts'
import { type Sampler, seededUniform } from './random.ts'

interface Job {
  readonly k: number
  readonly at: number
  readonly size: number
  left: number
  /** When its service ends unless it is interrupted. */
  end: number
  /** Set when it first begins. */
  delayed?: boolean
}

export interface SimulatedClass {
  /** The response without the service. */
  readonly Wq: Measured
  readonly W: Measured
  /** Share that does not begin at once. */
  readonly pWait: Measured
}

/**
 * Servers and classes of different importance, the first the most important: the witness of `priorityQueue` and `mmcPriorityWaits`. With
 * `preemptive-resume` an arrival takes the server of the least important, of several the one that came last.
 */
export function simulatePriority(given: {
  readonly classes: readonly { readonly arrivals: Sampler; readonly service: Sampler }[]
  /** 1 by default. */
  readonly servers?: number
  readonly discipline: 'nonpreemptive' | 'preemptive-resume'
  /** Jobs to watch, of all classes together. */
  readonly customers: number
  readonly seed: number
}): SimulatedClass[] {
  const { classes, servers = 1, discipline, customers, seed } = given
  if (classes.length === 0) throw new RangeError('classes must not be empty')
  checkInteger('servers', servers, 1)
  checkInteger('customers', customers, 1)
  checkNumber('customers', customers, 100, 1e9)
  const uniform = seededUniform(seed)
  const next = classes.map(({ arrivals }) => arrivals(uniform))
  const lines: Job[][] = classes.map(() => [])
  const serving: Job[] = []
  const done = classes.map(() => ({ waits: [] as number[], responses: [] as number[], delays: [] as number[] }))
  const warmUp = Math.floor(customers / 5)
  let [now, finished] = [0, 0]
  const start = (job: Job) => {
    job.delayed ??= now > job.at
    job.end = now + job.left
    serving.push(job)
  }
  const arrive = (k: number) => {
    next[k] = now + classes[k]!.arrivals(uniform)
    const size = classes[k]!.service(uniform)
    lines[k]!.push({ k, at: now, size, left: size, end: 0 })
    if (serving.length < servers || discipline === 'nonpreemptive') return
    const least = serving.reduce((a, b) => (b.k > a.k || (b.k === a.k && b.at > a.at) ? b : a))
    if (least.k <= k) return
    serving.splice(serving.indexOf(least), 1)
    least.left = least.end - now
    lines[least.k]!.unshift(least)
  }
  while (finished < warmUp + customers) {
    const arrival = Math.min(...next)
    const first = serving.reduce<Job | null>((a, b) => (a === null || b.end < a.end ? b : a), null)
    if (first && first.end <= arrival) {
      now = first.end
      serving.splice(serving.indexOf(first), 1)
      if (finished++ >= warmUp) {
        const { waits, responses, delays } = done[first.k]!
        waits.push(now - first.at - first.size)
        responses.push(now - first.at)
        delays.push(Number(first.delayed))
      }
    } else {
      now = arrival
      arrive(next.indexOf(arrival))
    }
    for (let line = waiting(lines); line && serving.length < servers; line = waiting(lines)) start(line.shift()!)
  }
  return done.map(({ waits, responses, delays }) => ({
    Wq: measured(waits),
    W: measured(responses),
    pWait: measured(delays),
  }))
}

function waiting(lines: readonly Job[][]): Job[] | undefined {
  return lines.find((line) => line.length > 0)
}
