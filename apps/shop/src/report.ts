import { littlesLaw } from '@headrace/capacity-math'
import Table from 'cli-table3'
import type { Invariants } from './audit.ts'
import type { Outcome } from './sale.ts'

/** The figures of a run, as `--json` prints them. */
export interface Figures {
  readonly answeredPerSec: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly sold: number
  readonly refused: number
  readonly replayed: number
  readonly batches: number
  readonly invariants: Invariants
  /** The pattern of the tutorials in the same run. */
  readonly tutorial: { readonly answeredPerSec: number }
  /** How many times as many answers per second as that. */
  readonly ratio: number
}

export function figuresOf(outcome: Outcome, tutorial: { readonly answeredPerSec: number }): Figures {
  const { flood, accepted, refused, batches, invariants } = outcome
  const { latenciesMs, seconds, replayed } = flood
  const answeredPerSec = latenciesMs.length / seconds
  return {
    answeredPerSec: rounded(answeredPerSec),
    p50Ms: rounded(percentile(latenciesMs, 0.5)),
    p99Ms: rounded(percentile(latenciesMs, 0.99)),
    maxMs: rounded(percentile(latenciesMs, 1)),
    sold: accepted,
    refused,
    replayed,
    batches,
    invariants: { ...invariants, oneRowPerId: invariants.oneRowPerId && flood.contradictions.length === 0 },
    tutorial: { answeredPerSec: rounded(tutorial.answeredPerSec) },
    ratio: rounded(answeredPerSec / tutorial.answeredPerSec),
  }
}

/** What a person wants to know of a run, as a table. */
export function reportOf(figures: Figures, outcome: Outcome, callers: number): string {
  const { flood, warehouses } = outcome
  const mean = flood.latenciesMs.reduce((sum, ms) => sum + ms, 0) / flood.latenciesMs.length
  const inFlight = littlesLaw({ lambda: figures.answeredPerSec, W: mean / 1e3 })
  const { invariants, tutorial, ratio } = figures
  const table = new Table({ colAligns: ['left', 'right'], style: { head: [], border: [] } })
  table.push(
    ['answers', number(flood.latenciesMs.length)],
    ['answered per second', number(figures.answeredPerSec)],
    ['latency p50 / p99 / max', `${figures.p50Ms} / ${figures.p99Ms} / ${figures.maxMs} ms`],
    ['in flight, by Little’s law (λ W)', `${number(inFlight.L)} of ${number(callers)} callers`],
    ['accepted', number(figures.sold)],
    ['refused (sold out)', number(figures.refused)],
    ['replayed (same id again)', number(figures.replayed)],
    ['commits', `${number(figures.batches)}, ${number(flood.answers.size / Math.max(1, figures.batches))} writes each`],
  )
  if (warehouses.size > 0) {
    table.push([
      'orders per warehouse',
      Array.from(warehouses, ([name, orders]) => `${name} ${number(orders)}`).join(', '),
    ])
  }
  table.push(
    ['lock, read, modify, write, unlock', `${number(tutorial.answeredPerSec)} per second`],
    ['ratio', `${ratio} ×`],
    ['never more than there was', verdict(invariants.soldWithinStock)],
    ['every id once, as it was answered', verdict(invariants.oneRowPerId)],
    ['nothing lost, nothing made up', verdict(invariants.conserved)],
  )
  return table.toString()
}

const verdict = (holds: boolean) => (holds ? 'holds' : 'BROKEN')
const number = (value: number) => Math.round(value).toLocaleString('en')
const rounded = (value: number) => Number(value.toPrecision(4))

/** @param sorted ascending, not empty. */
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}
