import type { Random } from '@headrace/core'
import { exponential } from './draws.ts'
import type { EventHeap } from './event-heap.ts'
import type { Plan, PlannedEndpoint } from './scenario.ts'

/** One request on its way. */
export interface Request {
  readonly arrivedMs: number
  /** How long it takes at speed 1. */
  readonly workMs: number
  readonly counts: boolean
  readonly key: string | undefined
  /** Tells the dispatcher how it ended; null once it has been told. */
  settle: ((outcome: 'success' | 'failure') => void) | null
}

/** An endpoint at work: so many workers, one line in order of arrival. */
export interface Server {
  readonly id: string
  /** Requests sent here that count. */
  sent: number
  readonly waiting: number
  readonly idleWorkers: number
  readonly speed: number
  /** A request reaches it. */
  reach(request: Request): void
}

export type SimEvent = () => void

/** @param finished is called with each request that it has worked on. */
export function createServer(
  endpoint: PlannedEndpoint,
  plan: Plan,
  events: EventHeap<SimEvent>,
  random: Random,
  finished: (server: Server, request: Request, outcome: 'success' | 'failure') => void,
): Server {
  const { behaviour, workers, speed, cold, joinsAtMs } = endpoint
  const { antagonists } = plan
  // An array with a moving start: `shift` on a long line would dominate the run.
  const line: Request[] = []
  let first = 0
  let busy = 0
  let stolen = false

  function step(request: Request): void {
    busy++
    events.add(events.atMs + request.workMs / server.speed, () => {
      busy--
      const next = line[first]
      if (next) {
        line[first++] = null as never
        if (first > 1_000 && first * 2 > line.length) {
          line.splice(0, first)
          first = 0
        }
        step(next)
      }
      finished(server, request, 'success')
    })
  }

  // Each episode is as long as the others, and they come as a surprise.
  function steal({ share, episodeMs }: { readonly share: number; readonly episodeMs: number }): void {
    const calmMs = exponential(random, (episodeMs * (1 - share)) / share)
    events.add(events.atMs + calmMs, () => {
      stolen = true
      events.add(events.atMs + episodeMs, () => {
        stolen = false
        steal({ share, episodeMs })
      })
    })
  }

  if (antagonists && antagonists.share > 0) steal(antagonists)

  const server: Server = {
    id: endpoint.id,
    sent: 0,
    get waiting() {
      return line.length - first
    },
    get idleWorkers() {
      return behaviour === 'work' ? workers - busy : 0
    },
    get speed() {
      const own = events.atMs < joinsAtMs + cold.forMs ? cold.speed : speed
      return stolen ? own * antagonists!.speed : own
    },
    reach(request) {
      if (behaviour === 'hang') return
      if (behaviour === 'fail') return finished(server, request, 'failure')
      if (busy < workers) step(request)
      else line.push(request)
    },
  }
  return server
}
