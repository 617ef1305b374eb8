/** A message, by its key and its place among those of its key. */
interface Step {
  readonly key: string
  readonly sequence: number
}

/** What happened in a run, in the order in which it did, as told by those to whom it happened. */
export type HistoryEvent =
  /** What its publisher was told: stored, or perhaps. */
  | ({ readonly type: 'accepted' | 'unknown' } & Step)
  /** A handler of one process. */
  | ({ readonly type: 'begun' | 'handled' | 'failed'; readonly process: string } & Step)
  /** What a handler did, where an inbox says whether it may. */
  | ({ readonly type: 'effect' } & Step)
  | ({ readonly type: 'dead' | 'redriven' } & Step)
  /** When all is over: messages that are still stored. */
  | { readonly type: 'drained'; readonly left: number }

/** Everything in which a history breaks what the queue guarantees, each with the first message that shows it. */
export function violations(history: readonly HistoryEvent[]): string[] {
  const nameOf = ({ key, sequence }: Step) => `${key}/${sequence}`
  const found = new Map<string, string>()
  const tell = (what: string, step: Step) => {
    if (!found.has(what)) found.set(what, `${what}: ${nameOf(step)}`)
  }
  const of = (...types: HistoryEvent['type'][]) =>
    history.filter((event): event is Extract<HistoryEvent, Step> => types.includes(event.type))
  const named = (...types: HistoryEvent['type'][]) => new Set(of(...types).map(nameOf))

  const published = named('accepted', 'unknown')
  const [handled, dead] = [named('handled'), named('dead', 'redriven')]
  for (const step of of('accepted')) {
    if (!handled.has(nameOf(step)) && !dead.has(nameOf(step))) tell('lost', step)
  }
  for (const step of of('begun', 'dead')) if (!published.has(nameOf(step))) tell('never published', step)
  // What was given up has left the order, and may come back to it late.
  const inOrder = (steps: readonly Step[], what: string) => {
    const last = new Map<string, number>()
    const seen = new Set<string>()
    for (const step of steps) {
      const again = seen.has(nameOf(step))
      seen.add(nameOf(step))
      if (again || dead.has(nameOf(step))) continue
      if (step.sequence < (last.get(step.key) ?? Number.NEGATIVE_INFINITY)) tell(what, step)
      last.set(step.key, step.sequence)
    }
  }
  inOrder(of('handled'), 'handled out of order')
  inOrder(of('effect'), 'an effect out of order')
  const effects = new Set<string>()
  for (const step of of('effect')) {
    if (effects.has(nameOf(step))) tell('an effect twice', step)
    effects.add(nameOf(step))
  }
  const running = new Set<string>()
  for (const event of history) {
    if (event.type === 'begun') {
      const lane = `${event.process} ${event.key}`
      if (running.has(lane)) tell('two handlers of one key at once', event)
      running.add(lane)
    } else if (event.type === 'handled' || event.type === 'failed') running.delete(`${event.process} ${event.key}`)
    else if (event.type === 'drained' && event.left > 0) found.set('left', `${event.left} left when all was over`)
  }
  return [...found.values()]
}
