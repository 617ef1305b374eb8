import { type Bench, type Contestant, defineBench } from './bench.ts'
import { contended, turnMetrics } from './lock/contention.ts'
import type { LibraryName } from './lock/libraries.ts'
import { threeServers } from './lock/servers.ts'
import { pairMetrics, pairs } from './lock/uncontended.ts'

const peers: LibraryName[] = ['node-redlock', 'redlock-universal', '@sesamecare-oss/redlock', 'redis-semaphore']
const each = (names: readonly LibraryName[], of: (name: LibraryName) => Contestant) =>
  Object.fromEntries(names.map((name) => [name, of(name)]))

const uncontended = (callers: number) => ({
  name: `free keys, ${callers} at a time`,
  metrics: pairMetrics,
  ours: pairs('ours', callers, threeServers),
  peers: each(peers, (peer) => pairs(peer, callers, threeServers)),
})

const bench: Bench = defineBench({
  about:
    'Locks on three independent Redis servers: one key wanted by 32 contenders in 4 processes, and free keys. Ours gives fencing tokens and order, the peers neither.',
  cases: [
    {
      name: 'one key, 32 contenders, 1 ms section',
      metrics: turnMetrics,
      ours: contended('ours', 1, threeServers),
      peers: each(['ours, strict order', ...peers], (other) => contended(other, 1, threeServers)),
    },
    uncontended(64),
    uncontended(1),
  ],
})

export default bench
