import { type Bench, defineBench } from './bench.ts'
import { contended } from './lock/contention.ts'
import type { LibraryName } from './lock/libraries.ts'
import { pairs } from './lock/uncontended.ts'

const peers: LibraryName[] = ['SET NX PX', 'redlock-universal', '@sesamecare-oss/redlock', 'redis-semaphore']
const pairMetrics = { pairsPerSec: '1/s', clientCpuUs: 'µs', p50Ms: 'ms', p99Ms: 'ms' }
const turnMetrics = { acquiredPerSec: '1/s', waitP99Ms: 'ms', waitMaxMs: 'ms', jain: '', commandsEach: '' }

const uncontended = (callers: number) => ({
  name: `free keys, ${callers} at a time`,
  metrics: pairMetrics,
  ours: pairs('ours', callers),
  peers: Object.fromEntries(peers.map((peer) => [peer, pairs(peer, callers)])),
})

const bench: Bench = defineBench({
  about:
    'Locks on one Redis: free keys, and one key wanted by 32 contenders in 4 processes. Ours gives fencing tokens and order, the peers neither.',
  servers: ['redis'],
  cases: [
    uncontended(64),
    uncontended(1),
    {
      name: 'one key, 32 contenders, 1 ms section',
      metrics: turnMetrics,
      ours: contended('ours', 1),
      peers: {
        'ours, strict order': contended('ours, strict order', 1),
        ...Object.fromEntries(peers.map((peer) => [peer, contended(peer, 1)])),
      },
    },
    {
      name: 'one key, 32 contenders, 0 ms section',
      metrics: turnMetrics,
      ours: contended('ours', 0),
      peers: { 'ours, strict order': contended('ours, strict order', 0), 'SET NX PX': contended('SET NX PX', 0) },
    },
  ],
})

export default bench
