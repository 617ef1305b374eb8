import { mmc, mmck, type StableQueue } from '@headrace/capacity-math'
import { exponentialTime, type Measured, simulateQueue } from '@headrace/capacity-math/simulate'
import { Command } from 'commander'
import { type Answer, number, numeric, tableOf } from '../format.ts'

interface Options {
  readonly lambda: number
  readonly mu: number
  readonly servers: number
  readonly capacity?: number
  readonly customers: number
  readonly seed: number
  readonly json?: boolean
}

/** `simulate`: the closed form beside its witness. */
export function simulateCommand(answer: Answer): Command {
  return new Command('simulate')
    .description('Simulates M/M/c, or M/M/c/K with --capacity, beside its closed form.')
    .requiredOption('--lambda <perSec>', 'arrivals per second', numeric('lambda'))
    .requiredOption('--mu <perSec>', 'what one server completes per second', numeric('mu'))
    .requiredOption('--servers <count>', 'servers', numeric('servers'))
    .option('--capacity <count>', 'room for those waiting and in service', numeric('capacity'))
    .option('--customers <count>', 'arrivals to watch', numeric('customers'), 500_000)
    .option('--seed <integer>', 'seed of the random numbers', numeric('seed'), 1)
    .option('--json', 'print JSON')
    .action((options: Options) => {
      const rows = compare(options)
      if (options.json) {
        answer(JSON.stringify(rows))
        return
      }
      const body = rows.map((row) => [
        row.what,
        number(row.formula),
        `${number(row.mean)} ± ${number(row.error)}`,
        row.z.toFixed(2),
      ])
      answer(tableOf(['', 'formula', 'simulated ± standard error', 'z'], body))
    })
}

function compare({ lambda, mu, servers, capacity, customers, seed }: Options) {
  const queue: StableQueue | { stable: false } =
    capacity === undefined ? mmc({ lambda, mu, servers }) : mmck({ lambda, mu, servers, capacity })
  if (!queue.stable)
    throw new RangeError(`lambda must be below servers × mu = ${servers * mu} without a --capacity, received ${lambda}`)
  const simulated = simulateQueue({
    arrivals: exponentialTime(1 / lambda),
    service: exponentialTime(1 / mu),
    servers,
    ...(capacity === undefined ? {} : { capacity }),
    customers,
    seed,
  })
  const row = (what: string, formula: number, { mean, error }: Measured) => ({
    what,
    formula,
    mean,
    error,
    z: error === 0 ? 0 : (mean - formula) / error,
  })
  return [
    row('waits', queue.pWait, simulated.pWait),
    row('mean wait, s', queue.Wq, simulated.Wq),
    row('mean response, s', queue.W, simulated.W),
    row('mean number inside', queue.L, simulated.found),
    ...(capacity === undefined ? [] : [row('turned away', queue.pBlock, simulated.pBlock)]),
  ]
}
