// One process that measures one contestant, after a first time that is thrown away; says what it measured as one line of JSON.
import { seededRandom } from '@headrace/core'
import type { Task } from './apart.ts'
import type { Bench, BenchContext } from './bench.ts'
import { collectGarbage } from './garbage.ts'

const { bench, case: wanted, contestant, urls, ...rest } = JSON.parse(process.argv[2]!) as Task
const { default: known } = (await import(`./${bench}.bench.ts`)) as { default: Bench }
const { ours, peers } = known.cases.find(({ name }) => name === wanted)!
const measure = contestant === 'ours' ? ours : peers![contestant]!
const context = (): BenchContext => ({
  ...rest,
  random: seededRandom(rest.seed),
  signal: new AbortController().signal,
  url: (server) => urls[server]!,
})
// Rounds are short beside the life of a process: without this the compiler would be measured too.
await measure(context())
collectGarbage()
const measurement = await measure(context())
process.stdout.write(`${JSON.stringify(measurement)}\n`, () => process.exit())
