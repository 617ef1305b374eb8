import { checkInteger, checkNumber } from '../checks.ts'
import { batchMeans, type Measured } from './batch-means.ts'
import { type Sampler, seededUniform } from './random.ts'

interface Job {
  readonly at: number
  left: number
  readonly size: number
}

/**
 * One server and classes of different importance, the first the most important: the witness of `priorityQueue`.
 * @returns the mean wait and response of each class; the wait is the response without the service.
 */
export function simulatePriority(given: {
  readonly classes: readonly { readonly arrivals: Sampler; readonly service: Sampler }[]
  readonly discipline: 'nonpreemptive' | 'preemptive-resume'
  /** Jobs to watch, of all classes together. */
  readonly customers: number
  readonly seed: number
}): { readonly Wq: Measured; readonly W: Measured }[] {
  const { classes, discipline, customers, seed } = given
  checkInteger('customers', customers, 1)
  checkNumber('customers', customers, 100, 1e9)
  const uniform = seededUniform(seed)
  const next = classes.map(({ arrivals }) => arrivals(uniform))
  const lines: Job[][] = classes.map(() => [])
  const heads = classes.map(() => 0)
  const times = classes.map(() => ({ waits: [] as number[], responses: [] as number[] }))
  let now = 0
  let serving: { readonly k: number; readonly job: Job } | null = null
  for (let done = 0; done < customers * 1.2; ) {
    const k = next.indexOf(Math.min(...next))
    const arrival = next[k]!
    if (serving && now + serving.job.left <= arrival) {
      now += serving.job.left
      const { k: served, job } = serving
      done += 1
      if (done > customers * 0.2) {
        times[served]!.waits.push(now - job.at - job.size)
        times[served]!.responses.push(now - job.at)
      }
      serving = null
    } else {
      if (serving) serving.job.left -= arrival - now
      now = arrival
      next[k] = now + classes[k]!.arrivals(uniform)
      const size = classes[k]!.service(uniform)
      lines[k]!.push({ at: now, left: size, size })
      if (serving && discipline === 'preemptive-resume' && k < serving.k) {
        // Back to the head of its line, from where it was taken.
        heads[serving.k]! -= 1
        serving = null
      }
    }
    if (serving) continue
    const first = lines.findIndex((line, i) => heads[i]! < line.length)
    if (first < 0) continue
    serving = { k: first, job: lines[first]![heads[first]!]! }
    heads[first]! += 1
    if (heads[first]! > 1000) {
      lines[first]!.splice(0, heads[first]! - 1)
      heads[first] = 1
    }
  }
  return times.map(({ waits, responses }) => ({ Wq: measured(waits), W: measured(responses) }))
}

function measured(values: readonly number[]): Measured {
  const means = batchMeans(values.length)
  for (const value of values) means.add(value)
  return means.result()
}
