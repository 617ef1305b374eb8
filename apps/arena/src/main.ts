import { existsSync } from 'node:fs'
import { access, constants, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sqliteStore } from '@headrace/writer/sqlite'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { audit } from './audit.ts'
import { type FightOptions, fight } from './fight.ts'
import { figuresOf, reportOf } from './report.ts'

const whole = (min: number, max: number) => (text: string) => {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
  return value
}

const program = new Command('arena')
  .description('A boss fight on three game servers, of which one stops and comes back too late.')
  .option('--rooms <n>', 'rooms, each with its boss', whole(1, 100), 12)
  .option('--bots <n>', 'bots over all rooms', whole(1, 1_000), 240)
  .option('--seconds <n>', 'how long they fight', whole(1, 120), 10)
  .option('--tick <n>', 'ticks per second', whole(1, 60), 20)
  .option('--seed <n>', 'makes the same bots again', whole(0, 1_000_000), 1)
  .addOption(
    new Option('--fault <what>', 'what happens to a server').choices(['suspend', 'kill', 'none']).default('suspend'),
  )
  .option('--db <file>', 'keep the database in this new file')
  .option('--json', 'print the figures as one object on the last line')
  .allowExcessArguments(false)
  .showSuggestionAfterError(false)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`arena: ${text.replace(/^error: /, '')}`) })

interface Flags extends Pick<FightOptions, 'rooms' | 'bots' | 'seconds' | 'tick' | 'seed' | 'fault'> {
  readonly db?: string
  readonly json?: boolean
}

async function main(): Promise<number> {
  const { db, json, ...flags } = program.parse().opts<Flags>()
  if (db !== undefined) await checkNewFile(db)
  const interrupted = new AbortController()
  // Once: whoever presses it again does not want to wait for the report.
  process.once('SIGINT', () => interrupted.abort())
  const folder = await mkdtemp(join(tmpdir(), 'headrace-arena-'))
  try {
    const store = sqliteStore(db ?? join(folder, 'arena.db'))
    const { rooms, bots, seconds, tick } = flags
    say(`${bots} bots in ${rooms} rooms on 3 servers, ${tick} ticks per second, for ${seconds} s`)
    const fought = await fight({ ...flags, store, say, signal: interrupted.signal })
    const figures = figuresOf(fought, await audit(store, fought))
    console.log(reportOf(figures))
    if (json) console.log(JSON.stringify(figures))
    return Object.values(figures.invariants).every(Boolean) ? 0 : 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The bots of a seed use the same ids in every fight, so that one file is one fight. */
async function checkNewFile(path: string): Promise<void> {
  if (path === '') program.error('--db: the name of the file is missing')
  if (existsSync(path)) program.error(`--db: ${path} exists already`)
  await access(dirname(path), constants.W_OK | constants.X_OK).catch(() =>
    program.error(`--db: no file can be made in ${dirname(path)}`),
  )
}

// The report goes to standard output, what happens meanwhile does not.
function say(line: string): void {
  console.error(line)
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : 2
}
