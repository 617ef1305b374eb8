import type { Clock } from '@headrace/core'
import type { QuorumNode } from './node.ts'
import type { Absence } from './round.ts'
import { floorFor, type Report } from './rules.ts'

/** Lets nodes vote again that may have lost data. */
export interface Quarantine {
  /**
   * Admits what can be admitted now; those who need it ask again. True where it is worth to ask again at once: nodes
   * vote by now, or somebody else is on the point of admitting them.
   */
  admit(away: ReadonlyMap<number, Absence>): Promise<boolean>
}

// A node that stays out is asked for by every vote; its report is not.
const pauseMs = 100

interface NodeReport extends Report {
  /** How much longer it has to stay out, and since when it does, by its own clock. */
  readonly leftMs: number
  readonly sinceMs: number
  readonly empty: boolean
  readonly upMs: number
}

/**
 * Nothing runs in the background: a node stays out until somebody asks for its vote after its time. Where every node is
 * there and empty, the lock service is new, and its age counts instead of the time since somebody noticed.
 */
export function createQuarantine(nodes: readonly QuorumNode[], clock: Clock, ttlMaxMs: number): Quarantine {
  let running: Promise<boolean> | undefined
  let ranMs = Number.NEGATIVE_INFINITY

  const ask = (node: QuorumNode, operation: string) =>
    new Promise<unknown>((resolve) =>
      node.send('', operation, (reply) => resolve('error' in reply ? undefined : reply.value)),
    )
  const reportsOf = () =>
    Promise.all(
      nodes.map(async (node): Promise<NodeReport | undefined> => {
        const value = (await ask(node, 'p')) as number[] | undefined
        if (!value) return undefined
        const [ready, high = 0, leftMs = 0, empty, upMs = 0, sinceMs = 0] = value.map(Number)
        return { ready: ready === 1, high, leftMs, sinceMs, empty: empty === 1, upMs }
      }),
    )
  const old = (report: NodeReport) => report.empty && report.upMs >= ttlMaxMs
  const admit = async () => {
    // Who asks again soon after the last time waits for its turn: what others had begun then is likely to be done.
    if (clock.nowMs() < ranMs + pauseMs) await clock.sleep(ranMs + pauseMs - clock.nowMs())
    const before = await reportsOf()
    const isNew = before.every((report) => report?.empty === true)
    const waited = before.map((report) => {
      if (!report || report.ready) return false
      return report.leftMs <= 0 || (isNew && report.upMs >= ttlMaxMs)
    })
    // Some of a new service vote already, and the others are new too: whoever has admitted those is at it. Where one is
    // missing nobody can know that all are new.
    const others = before.every((report) => report && (report.ready || old(report)))
    if (!waited.includes(true)) return others
    // Only what is copied after the wait counts: until then, votes from before the loss could still become a grant.
    const copied = await reportsOf()
    const admitted = await Promise.all(
      nodes.map(async (node, at) => {
        const floor = waited[at] ? floorFor(at, copied) : undefined
        // Since when it is out tells whether it has lost its data once more.
        if (floor === undefined) return false
        return Number(await ask(node, `a ${floor} ${isNew ? 1 : 0} ${before[at]!.sinceMs}`)) === 1
      }),
    )
    return others || admitted.includes(true)
  }

  return {
    async admit(away) {
      const due = [...away.values()].some(({ leftMs, empty }) => leftMs <= 0 || empty)
      if (!due) return false
      running ??= admit().finally(() => {
        running = undefined
        ranMs = clock.nowMs()
      })
      return await running
    },
  }
}
