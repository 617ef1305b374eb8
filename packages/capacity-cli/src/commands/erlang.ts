import {
  erlangB,
  erlangC,
  maxLoadForBlocking,
  maxLoadForWait,
  minServersForBlocking,
  minServersForWait,
} from '@headrace/capacity-math'
import { Command } from 'commander'
import { type Answer, facts, number, numeric, percent } from '../format.ts'

/** `erlang`: whatever of load, servers and share is not given. */
export function erlangCommand(answer: Answer): Command {
  return new Command('erlang')
    .description('Erlang B and C: give --load and --servers, or either of them and a share.')
    .option('--load <erlangs>', 'arrivals per second times mean service time', numeric('load'))
    .option('--servers <count>', 'servers; need not be whole', numeric('servers'))
    .option('--blocking <share>', 'largest share turned away, without a queue', numeric('blocking'))
    .option('--p-wait <share>', 'largest share that waits, with a queue', numeric('p-wait'))
    .option('--json', 'print JSON')
    .action((options: { load?: number; servers?: number; blocking?: number; pWait?: number; json?: boolean }) => {
      const result = solve(options)
      answer(
        options.json
          ? JSON.stringify(result)
          : facts(Object.entries(result).map(([name, value]) => [labels[name] ?? name, show(name, value)])),
      )
    })
}

const labels: Record<string, string> = {
  load: 'load, erlangs',
  servers: 'servers',
  blocking: 'turned away without a queue (Erlang B)',
  pWait: 'waits with a queue (Erlang C)',
}

function show(name: string, value: number): string {
  return name === 'blocking' || name === 'pWait' ? percent(value) : number(value)
}

function solve(given: { load?: number; servers?: number; blocking?: number; pWait?: number }): Record<string, number> {
  const { load, servers, blocking, pWait } = given
  if (load !== undefined && servers !== undefined) return shares(load, servers)
  if (load !== undefined && blocking !== undefined) return shares(load, minServersForBlocking({ load, blocking }))
  if (load !== undefined && pWait !== undefined) return shares(load, minServersForWait({ load, pWait }))
  if (servers !== undefined && blocking !== undefined) return shares(maxLoadForBlocking({ servers, blocking }), servers)
  if (servers !== undefined && pWait !== undefined) return shares(maxLoadForWait({ servers, pWait }), servers)
  throw new RangeError('give --load with --servers, or either of them with --blocking or --p-wait')
}

function shares(load: number, servers: number): Record<string, number> {
  const blocking = erlangB({ load, servers })
  return load < servers ? { load, servers, blocking, pWait: erlangC({ load, servers }) } : { load, servers, blocking }
}
