import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import type { Bench, ServerName } from './bench.ts'
import { runBench } from './run-bench.ts'
import { bringServers, type RunningServer } from './servers.ts'
import { commit, machine, packageVersions } from './surroundings.ts'
import { tableOf } from './table.ts'

const names = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''))

const integer = (text: string) => {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('It must be an integer.')
  return Number(text)
}

const command = new Command('bench')
  .description('Measures ours and the peers in turn, and keeps the result in bench/results.')
  .argument('<name>', `one of: ${names.join(', ')}`)
  .option('--json', 'print the rows as one JSON array')
  .option('--quick', 'three short repetitions; the result is kept under a name that git ignores')
  .option('--seed <integer>', 'seed of the random numbers', integer, 1)
  .option('--scenario <file>', 'measure what this JSON file describes instead; for: balancer')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()
const [name = ''] = command.args
type Options = { json?: boolean; quick?: boolean; seed: number; scenario?: string }
const { json = false, quick = false, seed, scenario: file } = command.opts<Options>()
if (!names.includes(name)) command.error(`error: no bench "${name}"; known: ${names.join(', ')}`)

const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
process.once('SIGTERM', () => interrupted.abort(new Error('terminated')))

try {
  const { default: known } = (await import(`./${name}.bench.ts`)) as { default: Bench }
  const scenario: unknown = file && JSON.parse(readFileSync(file, 'utf8'))
  const cases = file === undefined ? known.cases : known.casesOf?.(scenario)
  if (!cases) throw new RangeError(`bench "${name}" takes no scenario`)
  const bench = { ...known, cases }
  await using servers = await bringServers(bench.servers ?? [], startServer, process.env)
  console.error(bench.about)
  const rows = await runBench(name, bench, {
    quick,
    seed,
    signal: interrupted.signal,
    url: servers.url,
    onMeasure: (at) =>
      console.error(`  ${at.round === 0 ? 'warm-up' : `${at.round}/${at.rounds}`} ${at.case}: ${at.contestant}`),
  })
  const date = new Date().toISOString()
  const result = {
    bench: name,
    about: bench.about,
    command: ['pnpm bench', ...process.argv.slice(2)].join(' '),
    date,
    commit: commit(),
    seed,
    quick,
    scenario,
    machine: machine(),
    versions: { ...packageVersions(), ...servers.versions },
    rows,
  }
  const folder = new URL('../../../bench/results/', import.meta.url)
  mkdirSync(folder, { recursive: true })
  const label = `${name}${file === undefined ? '' : '-scenario'}-${date.slice(0, 19).replaceAll(':', '')}`
  const kept = new URL(`${label}${quick ? '-quick' : ''}.json`, folder)
  writeFileSync(kept, `${JSON.stringify(result, undefined, 2)}\n`)
  console.error(`kept in ${fileURLToPath(kept)}`)
  console.log(json ? JSON.stringify(rows) : tableOf(rows))
} catch (error) {
  console.error(error instanceof Error ? `error: ${error.message}` : error)
  process.exitCode = interrupted.signal.aborted ? 130 : 1
}
// A contestant that was given up, or left a connection open, must not keep the process.
process.exit()

async function startServer(server: ServerName): Promise<RunningServer> {
  // Loaded here: most benches need no server.
  const stack = await import('@headrace/stack')
  const start = {
    redis: stack.startRedis,
    // The size that RabbitMQ itself takes: the stack's small log of quorum queues would be full several times a second.
    rabbitmq: () => stack.startRabbitmq({ settings: ['raft.wal_max_size_bytes = 512000000'] }),
    consul: stack.startConsul,
    postgres: stack.startPostgres,
  }
  console.error(`  starting ${server}`)
  return start[server]()
}
