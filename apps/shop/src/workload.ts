import { type Random, randomBelow } from '@headrace/core'
import type { Decide } from '@headrace/writer'

/** One call that a client makes. */
export interface Request<Command> {
  readonly id: string
  readonly key: string
  readonly command: Command
}

/** What a run does: the rule, and what clients ask for, in this order. */
export interface Workload<State, Command, Result> {
  readonly initial: (key: string) => State
  readonly decide: Decide<State, Command, Result, unknown>
  readonly requests: readonly Request<Command>[]
}

/**
 * What clients do when an answer is slow to come: a share of the requests is sent a second time, with the same id, some
 * places later.
 */
export function withRetries<Command>(
  requests: readonly Request<Command>[],
  { share, random }: { readonly share: number; readonly random: Random },
): Request<Command>[] {
  const placesMax = 2_000
  const due = new Map<number, Request<Command>[]>()
  const sent: Request<Command>[] = []
  for (const [index, request] of requests.entries()) {
    sent.push(request, ...(due.get(index) ?? []))
    due.delete(index)
    if (random.next() >= share) continue
    const at = Math.min(requests.length - 1, index + 1 + randomBelow(random, placesMax))
    due.set(at, [...(due.get(at) ?? []), request])
  }
  for (const late of due.values()) sent.push(...late)
  return sent
}
