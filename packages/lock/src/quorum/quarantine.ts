import type { Clock } from '@headrace/core'
import type { QuorumNode } from './node.ts'
import { floorFor, type Report } from './rules.ts'

/** Lets nodes vote again that may have lost data. */
export interface Quarantine {
  /** Begins to admit what can be admitted now; those who need it ask again. */
  admit(away: ReadonlyMap<number, { readonly leftMs: number; readonly empty: boolean }>): void
}

// A node that stays out is asked for by every vote; its report is not.
const pauseMs = 100

interface NodeReport extends Report {
  /** How much longer it has to stay out. */
  readonly leftMs: number
  readonly empty: boolean
  readonly upMs: number
}

/**
 * Nothing runs in the background: a node stays out until somebody asks for its vote after its time. Where every node is
 * there and empty, the lock service is new, and its age counts instead of the time since somebody noticed.
 */
export function createQuarantine(nodes: readonly QuorumNode[], clock: Clock, ttlMaxMs: number): Quarantine {
  let running = false
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
        const [ready, high = 0, leftMs = 0, empty, upMs = 0] = value.map(Number)
        return { ready: ready === 1, high, leftMs, empty: empty === 1, upMs }
      }),
    )
  const admit = async () => {
    const before = await reportsOf()
    const isNew = before.every((report) => report?.empty === true)
    const waited = before.map((report) => {
      if (!report || report.ready) return false
      return report.leftMs <= 0 || (isNew && report.upMs >= ttlMaxMs)
    })
    if (!waited.includes(true)) return
    // Only what is copied after the wait counts: until then, votes from before the loss could still become a grant.
    const copied = await reportsOf()
    await Promise.all(
      nodes.map(async (node, at) => {
        const floor = waited[at] ? floorFor(at, copied) : undefined
        if (floor !== undefined) await ask(node, `a ${floor} ${isNew ? 1 : 0}`)
      }),
    )
  }

  return {
    admit(away) {
      const due = [...away.values()].some(({ leftMs, empty }) => leftMs <= 0 || empty)
      if (running || !due || clock.nowMs() < ranMs + pauseMs) return
      running = true
      void admit().finally(() => {
        running = false
        ranMs = clock.nowMs()
      })
    },
  }
}
