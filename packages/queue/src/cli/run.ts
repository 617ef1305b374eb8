import { HeadraceError, systemClock } from '@headrace/core'
import { createQueue } from '../create-queue.ts'
import type { DeadLetterQuery } from '../dead-letters.ts'
import type { DeadLetter } from '../message.ts'
import { commandHeader } from '../own-headers.ts'
import type { Queue } from '../queue.ts'
import type { Arguments } from './arguments.ts'
import { type Attached, attach } from './backend.ts'
import { peek } from './peek.ts'
import { tableOf, timeOf } from './table.ts'

/** What a command answers: the same as a value and for people. */
export interface Answer {
  readonly value: unknown
  readonly text: string
}

export interface RunOptions {
  readonly signal: AbortSignal
  /** Told how many dead letters were looked at, of how many. */
  readonly progress: (done: number, total: number) => void
}

/** @throws HeadraceError, or RangeError for arguments that are not enough. */
export async function run(args: Arguments, options: RunOptions): Promise<Answer> {
  if (args.command === 'purge' && !args.yes && !args.dryRun) throw new RangeError('purge needs --yes, or --dry-run')
  const attached = await attach(args)
  try {
    const { partitions, depthMax, park } = attached.declaration
    const onExhausted = park && attached.driver.supports.park ? 'park' : 'dead-letter'
    const queue = createQueue<unknown>(attached.driver, args.queue, { partitions, depthMax, onExhausted })
    return await answerOf(args, queue, attached, options)
  } finally {
    await attached.close()
  }
}

async function answerOf(
  args: Arguments,
  queue: Queue<unknown>,
  attached: Attached,
  options: RunOptions,
): Promise<Answer> {
  switch (args.command) {
    case 'stats':
      return await stats(queue, attached)
    case 'peek':
      return await look(args, attached)
    case 'dead':
      return await dead(args, queue, options)
    case 'redrive':
    case 'purge':
      return await treat(args, queue, options)
    case 'parked':
      return await parked(queue)
    default: {
      const done = await queue[args.command](args.key!)
      if (!done) throw new HeadraceError('REJECTED', 'the key is not parked')
      const text = 'a consumer of the queue does it when it sees it'
      return { value: { stored: true }, text }
    }
  }
}

async function stats(queue: Queue<unknown>, { declaration, driver }: Attached): Promise<Answer> {
  const { depth, delayed, dead, oldestAgeMs } = await queue.stats()
  const parkedKeys = driver.supports.park ? (await queue.parked()).length : 0
  const { partitions, depthMax } = declaration
  const value = { queue: queue.name, partitions, depthMax, waiting: depth, delayed, dead, parkedKeys, oldestAgeMs }
  return {
    value,
    text: tableOf(
      [],
      Object.entries(value).map(([name, count]) => [name, String(count ?? 'not known')]),
    ),
  }
}

async function look({ queue, limit = 10 }: Arguments, { driver, declaration }: Attached): Promise<Answer> {
  const found = await peek(driver, queue, declaration.partitions, limit, systemClock)
  const messages = found.filter(({ headers }) => !(commandHeader in headers))
  const rows = messages.map(({ id, key = '', publishedAtMs, payload }) => [timeOf(publishedAtMs), id, key, payload])
  return { value: messages, text: tableOf(['published', 'id', 'key', 'payload'], rows) }
}

async function dead(args: Arguments, queue: Queue<unknown>, { signal }: RunOptions): Promise<Answer> {
  const letters = await queue.deadLetters.list({ filter: filterOf(args), limit: args.limit ?? 20, signal })
  const rows = letters.map(({ deadAtMs, id, key = '', reason, attempts, error }) => [
    timeOf(deadAtMs),
    id,
    key,
    reason,
    String(attempts),
    error,
  ])
  return { value: letters, text: tableOf(['dead since', 'id', 'key', 'reason', 'attempts', 'error'], rows) }
}

async function treat(args: Arguments, queue: Queue<unknown>, { signal, progress }: RunOptions): Promise<Answer> {
  const { dead: total } = await queue.stats()
  const wanted = filterOf(args)
  let seen = 0
  const query: DeadLetterQuery = {
    filter(letter) {
      progress(++seen, total)
      return wanted(letter)
    },
    limit: args.limit ?? Number.MAX_SAFE_INTEGER,
    signal,
  }
  if (args.dryRun) {
    const { redriven: count } = await queue.deadLetters.redrive({ ...query, dryRun: true })
    return { value: { dryRun: true, count }, text: `${args.command} would take ${count} dead letters` }
  }
  if (args.command === 'purge') {
    const { purged } = await queue.deadLetters.purge(query)
    return { value: { purged }, text: `${purged} dead letters are removed` }
  }
  const { redriven } = await queue.deadLetters.redrive({ ...query, ratePerSec: args.rate })
  return { value: { redriven }, text: `${redriven} dead letters are back in their queue` }
}

async function parked(queue: Queue<unknown>): Promise<Answer> {
  const keys = await queue.parked()
  const rows = keys.map(({ key, waiting, id, because }) => [key, String(waiting), id ?? '', because?.error ?? ''])
  return { value: keys, text: tableOf(['key', 'waiting', 'failed message', 'error'], rows) }
}

function filterOf({ wanted: { reason, key, id, error } }: Arguments): (letter: DeadLetter) => boolean {
  return (letter) =>
    (reason === undefined || letter.reason === reason) &&
    (key === undefined || letter.key === key) &&
    (id === undefined || letter.id === id) &&
    (error === undefined || letter.error.includes(error))
}
