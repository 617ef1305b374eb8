import { checkInteger, checkNumber } from '../checks.ts'
import { batchMeans, type Measured } from './batch-means.ts'
import { eventCalendar } from './calendar.ts'
import { type Sampler, seededUniform } from './random.ts'

export interface SimulatedSharing {
  /** Rounds per second of each class. */
  readonly X: readonly Measured[]
  /** Q[class][station]: mean number of the class at the station. */
  readonly Q: readonly (readonly Measured[])[]
}

/**
 * A closed network with several classes: each job thinks, then goes through all stations, and begins again. Those at a station share it
 * equally, or do not slow each other down where `delay` says so: the witness of `mvaMulticlass`.
 */
export function simulateSharing(given: {
  readonly classes: readonly {
    readonly population: number
    readonly think: Sampler
    /** What it needs of each station. */
    readonly services: readonly Sampler[]
  }[]
  readonly delay: readonly boolean[]
  /** Events to watch. */
  readonly events: number
  readonly seed: number
}): SimulatedSharing {
  const { classes, delay, events, seed } = given
  checkInteger('events', events, 1)
  checkNumber('events', events, 1000, 1e9)
  for (const { population } of classes) checkInteger('population', population, 0)
  const uniform = seededUniform(seed)
  // The last place is where jobs think. Each has a clock of its own, which runs at the rate at which one job is served there.
  const places = [...delay, true].map((alone) => ({ alone, clock: 0, jobs: eventCalendar() }))
  const thinking = delay.length
  const counts = classes.map(() => places.map(() => 0))
  const rounds = classes.map(() => 0)
  const enter = (place: number, k: number) => {
    const { think, services } = classes[k]!
    const { clock, jobs } = places[place]!
    jobs.schedule(clock + (place === thinking ? think : services[place]!)(uniform), k)
    counts[k]![place]! += 1
  }
  classes.forEach(({ population }, k) => {
    for (let i = 0; i < population; i++) enter(thinking, k)
  })
  /** Until the next job leaves its place: how long that takes, before it goes on. */
  const next = () => {
    const slowdown = places.map(({ alone, jobs }) => (alone ? 1 : Math.max(1, jobs.size)))
    const waits = places.map(({ clock, jobs }, k) => (jobs.nextAt() - clock) * slowdown[k]!)
    const wait = Math.min(...waits)
    places.forEach((it, k) => {
      it.clock += wait / slowdown[k]!
    })
    return { wait, place: waits.indexOf(wait) }
  }
  const leave = (place: number) => {
    const { what: k } = places[place]!.jobs.next()
    counts[k]![place]! -= 1
    if (place === thinking) rounds[k]! += 1
    enter(place === thinking ? 0 : place + 1, k)
  }
  for (let i = 0; i < events / 5; i++) leave(next().place)
  const batches = 30
  const X = classes.map(() => batchMeans(batches))
  const Q = classes.map(() => delay.map(() => batchMeans(batches)))
  for (let b = 0; b < batches; b++) {
    rounds.fill(0)
    const areas = classes.map(() => delay.map(() => 0))
    let elapsed = 0
    for (let i = 0; i < events / batches; i++) {
      const { wait, place } = next()
      elapsed += wait
      areas.forEach((row, k) => {
        for (let at = 0; at < row.length; at++) row[at]! += counts[k]![at]! * wait
      })
      leave(place)
    }
    rounds.forEach((count, k) => {
      X[k]!.add(count / elapsed)
    })
    areas.forEach((row, k) => {
      row.forEach((area, at) => {
        Q[k]![at]!.add(area / elapsed)
      })
    })
  }
  return { X: X.map((it) => it.result()), Q: Q.map((row) => row.map((it) => it.result())) }
}
