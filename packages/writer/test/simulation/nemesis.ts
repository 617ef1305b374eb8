import type { Clock } from '@headrace/core'
import type { Ledger, Store } from '@headrace/writer'

/**
 * What happens at one step between a process and the store or the queue. `before` and `after` say whether the call had
 * taken effect. `late`: nobody waits any more when it takes effect. `takeover`: another process begins while this one runs on.
 */
export const faults = [
  'error-before',
  'error-after',
  'hang-before',
  'hang-after',
  'late',
  'slow',
  'crash-before',
  'crash-after',
  'takeover-before',
  'takeover-after',
] as const
export type Fault = (typeof faults)[number]

/** Which fault, if any, a step meets; steps are counted over all processes. */
export type Plan = (step: number, method: string) => Fault | undefined

export interface Process {
  alive: boolean
}

export interface Nemesis {
  readonly steps: number
  /** The store as a process sees it. */
  storeOf(process: Process, store: Store): Store
  /** One step of a process. What reaches a process that has died by then is never heard of. */
  step<Value>(process: Process, method: string, run: () => Promise<Value>): Promise<Value>
}

const never = (): Promise<never> => new Promise(() => {})

export function createNemesis(options: {
  readonly clock: Clock
  readonly plan: Plan
  readonly lateMs: number
  readonly crash: (process: Process) => void
  readonly takeOver: () => void
}): Nemesis {
  const { clock, plan, lateMs, crash, takeOver } = options
  let steps = 0

  async function faulty<Value>(process: Process, method: string, run: () => Promise<Value>): Promise<Value> {
    const fault = plan(steps++, method)
    const [kind, moment] = (fault?.split('-') ?? []) as [string?, string?]
    if (kind === 'late') await clock.sleep(lateMs)
    if (kind === 'slow') await clock.sleep(lateMs / 10)
    if (kind === 'takeover' && moment === 'before') takeOver()
    if (moment === 'before' || !kind || kind === 'late' || kind === 'slow') {
      if (kind === 'error') throw new Error('connection refused')
      if (kind === 'crash') crash(process)
      if (kind === 'crash' || kind === 'hang') return never()
      return await run()
    }
    const value = await run()
    if (kind === 'takeover') takeOver()
    if (kind === 'crash') crash(process)
    if (kind === 'error') throw new Error('connection reset')
    return kind === 'hang' ? never() : value
  }

  const nemesis: Nemesis = {
    get steps() {
      return steps
    },
    async step(process, method, run) {
      if (!process.alive) return never()
      try {
        const value = await faulty(process, method, run)
        return process.alive ? value : never()
      } catch (error) {
        if (!process.alive) return never()
        throw error
      }
    },
    storeOf: (process, store) => ({
      async open(name, partitions) {
        const good = await nemesis.step(process, 'open', () => store.open(name, partitions))
        const ledger: Ledger = {
          seal: (...args) => nemesis.step(process, 'seal', () => good.seal(...args)),
          load: (...args) => nemesis.step(process, 'load', () => good.load(...args)),
          commit: (batch) => nemesis.step(process, 'commit', () => good.commit(batch)),
          outbox: (...args) => nemesis.step(process, 'outbox', () => good.outbox(...args)),
          published: (...args) => nemesis.step(process, 'published', () => good.published(...args)),
          close: async () => {},
        }
        return ledger
      },
    }),
  }
  return nemesis
}
