import { type Clock, isHeadraceError, retry, systemClock } from '@headrace/core'
import type { Receipt, Writer } from '@headrace/writer'
import type { Request } from './workload.ts'

/** What the clients saw. */
export interface Flood<Result> {
  readonly seconds: number
  /** Milliseconds from the call to its answer, ascending. */
  readonly latenciesMs: Float64Array
  readonly replayed: number
  /** The answer for each id. */
  readonly answers: ReadonlyMap<string, Receipt<Result>>
  /** Ids that were given two different answers: there must be none. */
  readonly contradictions: readonly string[]
}

/**
 * Sends the requests in order, from `callers` clients at once, each of which waits for its answer before it sends the next.
 * A client that is turned away comes again as it is told to; one whose answer is lost asks again with the same id.
 */
export async function flood<Command, Result>(
  writer: Writer<unknown, Command, Result>,
  requests: readonly Request<Command>[],
  options: { readonly callers: number; readonly answered: (count: number) => void; readonly clock?: Clock },
): Promise<Flood<Result>> {
  const { callers, answered, clock = systemClock } = options
  const latenciesMs = new Float64Array(requests.length)
  const answers = new Map<string, Receipt<Result>>()
  const contradictions: string[] = []
  let replayed = 0
  let next = 0

  async function client(): Promise<void> {
    while (next < requests.length) {
      const index = next++
      const { id, key, command } = requests[index]!
      const sentMs = clock.nowMs()
      const receipt = await retry(() => writer.write(key, command, { id }), { attempts: 20, retryIf, clock })
      latenciesMs[index] = clock.nowMs() - sentMs
      if (receipt.replayed) replayed++
      const before = answers.get(id)
      if (before && before.sequence !== receipt.sequence) contradictions.push(id)
      answers.set(id, receipt)
      answered(1)
    }
  }

  const startMs = clock.nowMs()
  await Promise.all(Array.from({ length: callers }, client))
  const seconds = (clock.nowMs() - startMs) / 1e3
  return { seconds, latenciesMs: latenciesMs.sort(), replayed, answers, contradictions }
}

const retryIf = (error: unknown) => isHeadraceError(error) && (error.retryable || error.code === 'TIMEOUT')
