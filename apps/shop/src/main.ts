import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { BadInput } from './bad-input.ts'
import { claim } from './claim.ts'
import { flashSale, saleFromOrders } from './flash-sale.ts'
import { figuresOf, reportOf } from './report.ts'
import { type Outcome, runCounters, runSale } from './sale.ts'
import { tutorial } from './tutorial.ts'
import type { Workload } from './workload.ts'
import { writesFrom } from './write-trace.ts'

const whole = (min: number, max: number) => (text: string) => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
  return value
}

const program = new Command('demo')
  .description('A flash sale through the whole write path, on a SQLite file, and an audit of what is in the file.')
  .addOption(
    new Option(
      '--orders <file>',
      'sell real order lines (CSV: at,invoice,sku,quantity,unitPrice,customer,lineId)',
    ).conflicts('writes'),
  )
  .addOption(new Option('--writes <file>', 'count the writes of a trace (CSV: atSec,key,bytes)'))
  .option('--requests <n>', 'buy requests of the made-up sale', whole(1, 10_000_000), 50_000)
  .option('--callers <n>', 'clients that wait for an answer at a time', whole(1, 100_000), 256)
  .option('--seed <n>', 'makes the same sale again', whole(0, 2 ** 31 - 1), 1)
  .option('--db <file>', 'keep the database here; the same sale again on the same file changes nothing')
  .option('--json', 'print the figures as one object on the last line')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`demo: ${text.replace(/^error: /, '')}`) })

interface Flags {
  readonly orders?: string
  readonly writes?: string
  readonly requests: number
  readonly callers: number
  readonly seed: number
  readonly db?: string
  readonly json?: boolean
}

const tutorialMs = 2_000

async function main(): Promise<number> {
  const flags = program.parse().opts<Flags>()
  const { callers, seed } = flags
  const folder = await mkdtemp(join(tmpdir(), 'headrace-shop-'))
  try {
    const path = flags.db ?? join(folder, 'shop.db')
    claim(path, flags.writes ?? flags.orders ?? `seed ${seed}, ${flags.requests} requests`)
    const other = join(folder, 'tutorial.db')
    if (flags.writes !== undefined) {
      const trace = await writesFrom(flags.writes)
      return await compare(flags, trace, other, (answered) => runCounters(path, trace, { callers, seed, answered }))
    }
    const sale = flags.orders === undefined ? flashSale(flags) : await saleFromOrders(flags.orders, flags)
    return await compare(flags, sale, other, (answered) => runSale(path, sale, { callers, seed, answered }))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs the pattern of the tutorials, then ours, prints both, and says with which code to exit. */
async function compare<State, Command, Result>(
  { callers, json }: Flags,
  workload: Workload<State, Command, Result>,
  tutorialPath: string,
  ours: (answered: (count: number) => void) => Promise<Outcome>,
): Promise<number> {
  const keys = new Set(workload.requests.map(({ key }) => key))
  say(`${workload.requests.length} requests for ${keys.size} keys, ${callers} callers`)
  say(`for ${tutorialMs / 1e3} s as in tutorials: lock, read, modify, write, unlock`)
  const compared = await tutorial(tutorialPath, workload, { callers, durationMs: tutorialMs })
  say('and now all of them through the writer')
  const outcome = await withProgress(workload.requests.length, ours)
  const figures = figuresOf(outcome, compared)
  console.log(reportOf(figures, outcome, callers))
  if (json) console.log(JSON.stringify(figures))
  return Object.values(figures.invariants).every(Boolean) ? 0 : 1
}

async function withProgress<T>(total: number, work: (answered: (count: number) => void) => Promise<T>): Promise<T> {
  const format = '{bar} {value} of {total} answered, {duration_formatted}'
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    noTTYOutput: true,
    notTTYSchedule: 500,
    hideCursor: true,
  })
  bar.start(total, 0)
  try {
    return await work((count) => bar.increment(count))
  } finally {
    bar.stop()
  }
}

// The report goes to standard output, what happens meanwhile does not.
function say(line: string): void {
  console.error(line)
}

try {
  process.exitCode = await main()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else if (error instanceof BadInput) {
    console.error(`demo: ${error.message}`)
    process.exitCode = 2
  } else throw error
}
