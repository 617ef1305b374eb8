import type { Discovery, Snapshot } from '../discovery/discovery.ts'
import type { Plan } from './scenario.ts'

/** The list of endpoints as it changes in the course of a scenario. */
export interface Fleet {
  readonly discovery: Discovery
  /** When the list changes. */
  readonly changesAtMs: readonly number[]
  /** Makes the list that of `nowMs` known; resolves when all balancers have it. */
  update(nowMs: number): Promise<void>
}

export function fleetOf(plan: Plan): Fleet {
  const at = (nowMs: number): Snapshot => {
    const present = plan.endpoints.filter((it) => it.joinsAtMs <= nowMs && nowMs < it.leavesAtMs)
    return { state: 'fresh', endpoints: present.map(({ id, weight }) => ({ id, address: id, weight })) }
  }
  const initial = at(0)
  let latest = initial
  let wake: (() => void)[] = []
  const moments = plan.endpoints.flatMap(({ joinsAtMs, leavesAtMs }) => [joinsAtMs, leavesAtMs])
  return {
    discovery: {
      initial,
      async *watch(signal) {
        let seen: Snapshot = initial
        signal.addEventListener('abort', () => release(), { once: true })
        while (!signal.aborted) {
          if (seen !== latest) {
            seen = latest
            yield seen
          } else await new Promise<void>((resolve) => wake.push(resolve))
        }
      },
    },
    changesAtMs: [...new Set(moments)].filter((ms) => ms > 0 && ms < Number.POSITIVE_INFINITY).sort((a, b) => a - b),
    async update(nowMs) {
      latest = at(nowMs)
      release()
      // Promises do all of it, and none of them takes a turn of the loop.
      await new Promise((resolve) => setImmediate(resolve))
    },
  }

  function release(): void {
    const waiting = wake
    wake = []
    for (const resolve of waiting) resolve()
  }
}
