import type { Clock } from '@headrace/core'
import type { QuorumNode } from './node.ts'
import { floorFor, type Report } from './rules.ts'

/** Lets nodes vote again that may have lost data. */
export interface Quarantine {
  /** Admits what can be admitted now. True where a node was. */
  admit(away: ReadonlyMap<number, { readonly leftMs: number; readonly empty: boolean }>): Promise<boolean>
}

// A node that stays out is asked for by every vote; its report is not.
const pauseMs = 100

interface NodeReport extends Report {
  readonly empty: boolean
}

/**
 * Nothing runs in the background: a node stays out until somebody asks for its vote after its time. Where every node is
 * there and empty, the lock service is new, and its age counts instead of the time since somebody noticed.
 */
export function createQuarantine(nodes: readonly QuorumNode[], clock: Clock): Quarantine {
  let running: Promise<boolean> | undefined
  let ranMs = Number.NEGATIVE_INFINITY

  const ask = (node: QuorumNode, operation: string) =>
    new Promise<unknown>((resolve) =>
      node.send('', operation, (reply) => resolve('error' in reply ? undefined : reply.value)),
    )
  const admit = async (): Promise<boolean> => {
    const reports = await Promise.all(
      nodes.map(async (node): Promise<NodeReport | undefined> => {
        const value = (await ask(node, 'p')) as number[] | undefined
        return value && { ready: Number(value[0]) === 1, high: Number(value[1]), empty: Number(value[3]) === 1 }
      }),
    )
    const isNew = reports.every((report) => report?.empty === true)
    const admitted = await Promise.all(
      nodes.map(async (node, at) => {
        const floor = floorFor(at, reports)
        if (floor === undefined || reports[at]?.ready !== false) return false
        return Number(await ask(node, `a ${floor} ${isNew ? 1 : 0}`)) === 1
      }),
    )
    return admitted.includes(true)
  }

  return {
    async admit(away) {
      const due = [...away.values()].some(({ leftMs, empty }) => leftMs <= 0 || empty)
      if (running !== undefined) return await running
      if (!due || clock.nowMs() < ranMs + pauseMs) return false
      running = admit()
      try {
        return await running
      } finally {
        running = undefined
        ranMs = clock.nowMs()
      }
    },
  }
}
