import { type Bench, defineBench } from './bench.ts'
import { aloneQuorum, contendedQuorum } from './lock-quorum/contention.ts'

const bench: Bench = defineBench({
  about:
    'Locks on three independent Redis servers: one key wanted by 32 contenders in 4 processes, and free keys. Ours gives fencing tokens and order, the peers neither.',
  cases: [
    {
      name: 'one key, 32 contenders, 1 ms section',
      metrics: { acquiredPerSec: '1/s', waitP99Ms: 'ms', waitMaxMs: 'ms', jain: '', commandsEach: '' },
      ours: contendedQuorum('ours'),
      peers: {
        'ours, strict order': contendedQuorum('ours, strict order'),
        'redlock-universal': contendedQuorum('redlock-universal'),
        '@sesamecare-oss/redlock': contendedQuorum('@sesamecare-oss/redlock'),
      },
    },
    {
      name: 'free keys, one at a time',
      metrics: { pairsPerSec: '1/s', commandsEach: '' },
      ours: aloneQuorum('ours'),
      peers: {
        'redlock-universal': aloneQuorum('redlock-universal'),
        '@sesamecare-oss/redlock': aloneQuorum('@sesamecare-oss/redlock'),
      },
    },
  ],
})

export default bench
