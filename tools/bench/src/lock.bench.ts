import { type Bench, type Contestant, defineBench } from './bench.ts'
import { contended, turnMetrics } from './lock/contention.ts'
import { idleMetrics, killed, killedMetrics, waiting } from './lock/crowded.ts'
import type { LibraryName } from './lock/libraries.ts'
import { pairMetrics, pairs } from './lock/uncontended.ts'

const peers: LibraryName[] = [
  'SET NX PX',
  'node-redlock',
  'redlock-universal',
  '@sesamecare-oss/redlock',
  'redis-semaphore',
]
const each = (names: readonly LibraryName[], of: (name: LibraryName) => Contestant) =>
  Object.fromEntries(names.map((name) => [name, of(name)]))

const uncontended = (callers: number) => ({
  name: `free keys, ${callers} at a time`,
  metrics: pairMetrics,
  ours: pairs('ours', callers),
  peers: each(peers, (peer) => pairs(peer, callers)),
})

const contention = (sectionMs: number, others: readonly LibraryName[]) => ({
  name: `one key, 32 contenders, ${sectionMs} ms section`,
  metrics: turnMetrics,
  ours: contended('ours', sectionMs),
  peers: each(others, (other) => contended(other, sectionMs)),
})

const bench: Bench = defineBench({
  about:
    'Locks on one Redis: free keys, and one key wanted by 32 contenders in 4 processes, or by a crowd. Ours gives fencing tokens and order, the peers neither.',
  servers: ['redis'],
  cases: [
    uncontended(64),
    uncontended(1),
    contention(1, ['ours, strict order', ...peers]),
    contention(0, ['ours, strict order', 'SET NX PX']),
    {
      name: 'one key, 10,000 waiters in one process',
      metrics: idleMetrics,
      ours: waiting('ours', 10_000),
      peers: each(['ours, strict order', 'SET NX PX', 'redlock-universal'], (other) => waiting(other, 10_000)),
    },
    {
      name: 'one key, 1,000 waiters killed before their turn',
      metrics: killedMetrics,
      ours: killed('ours', 1_000),
      peers: each(['ours, strict order', 'SET NX PX'], (other) => killed(other, 1_000)),
    },
  ],
})

export default bench
