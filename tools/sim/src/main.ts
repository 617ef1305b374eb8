import { Command, InvalidArgumentError, Option } from 'commander'
import { lockModel } from './lock/model.ts'
import { type Careless, carelessness } from './lock/scene.ts'
import { search } from './search.ts'

const whole = (text: string): number => {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('It must be a whole number.')
  return number
}

interface Options {
  nodes: number
  attempts: number
  clocks: 'any' | 'bounded'
  deliveries: number
  restarts: number
  tokens: number
  propose: number[]
  renewals?: true
  handOver?: true
  careless?: Careless
  statesMax: number
}

const program = new Command('sim').description('Looks at every state that a protocol can reach.')
program
  .command('lock')
  .description(
    'The lock on a quorum of independent nodes. Exits with 1 where it finds a violation, 2 where it gives up.',
  )
  .addOption(new Option('--nodes <n>', 'nodes, 1 to 7').default(3).argParser(whole))
  .addOption(new Option('--attempts <n>', 'attempts to take the key, 1 to 4').default(2).argParser(whole))
  .addOption(
    new Option('--clocks <how>', 'whether nodes may forget an owner too early')
      .choices(['any', 'bounded'])
      .default('bounded'),
  )
  .addOption(new Option('--deliveries <n>', 'how often each vote may arrive').default(1).argParser(whole))
  .addOption(new Option('--restarts <n>', 'nodes that may restart empty, 0 or 1').default(0).argParser(whole))
  .addOption(new Option('--tokens <n>', 'tokens in each grant').default(1).argParser(whole))
  .addOption(
    new Option('--propose <n...>', 'first tokens that clients may propose')
      .default([0])
      .argParser((text: string, all: number[]) => [...all, whole(text)]),
  )
  .option('--renewals', 'holders renew, and take nodes that they lack')
  .option('--hand-over', 'the next one need not wait until all nodes have heard of a release')
  .addOption(new Option('--careless <what>', 'what an implementation gets wrong').choices(carelessness))
  .addOption(new Option('--states-max <n>', 'gives up after so many states').default(30_000_000).argParser(whole))
  .action((options: Options) => {
    const { nodes, attempts, clocks, deliveries, restarts, tokens, propose, renewals, handOver, careless } = options
    if (nodes < 1 || nodes > 7 || attempts < 1 || attempts > 4 || restarts > 1)
      throw new InvalidArgumentError('1 to 7 nodes, 1 to 4 attempts, 0 or 1 restarts.')
    const started = performance.now()
    const outcome = search(
      lockModel({
        nodes,
        attempts,
        clocks,
        deliveriesMax: deliveries,
        restarts: restarts === 1 ? 1 : 0,
        tokens,
        proposals: propose,
        renewals: renewals === true,
        handsOver: handOver === true,
        ...(careless && { careless }),
      }),
      {
        statesMax: options.statesMax,
        progress: (states, depth) => process.stderr.write(`\r${states.toLocaleString()} states, ${depth} steps deep `),
      },
    )
    const { states, transitions, depth, complete, violation } = outcome
    const seconds = ((performance.now() - started) / 1_000).toFixed(1)
    const size = `${states.toLocaleString()} states, ${transitions.toLocaleString()} steps, ${depth} deep, ${seconds} s`
    process.stderr.write('\r')
    if (violation) {
      const steps = violation.trace.map((line, at) => `${String(at + 1).padStart(3)}  ${line}`)
      console.log([`Violated: ${violation.what}.`, ...steps, size].join('\n'))
    } else console.log(`${complete ? 'Complete, no violation' : 'Given up, no violation so far'}: ${size}`)
    process.exitCode = violation ? 1 : complete ? 0 : 2
  })
await program.parseAsync()
