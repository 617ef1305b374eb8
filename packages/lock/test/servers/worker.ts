// Another process that holds or waits: started by tests that kill, stop or count it. Says one JSON object for each line.
import { createLocks } from '@headrace/lock'
import { redisLocks } from '@headrace/lock/redis'
import { Redis } from 'ioredis'

const { url, prefix, key, waiters, ttlMs, claimMs, handoverMax } = JSON.parse(process.argv[2]!)
const redis = new Redis(url)
const locks = createLocks(redisLocks(redis, { prefix, claimMs }), { ttlMs, handoverMax, callMs: 10_000 })
const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`)

for (let n = 0; n < waiters; n++) {
  locks.acquire(key, { waitMs: 60_000 }).then(
    (lease) => {
      // Asked on the first line that runs after a stop: no timer had a chance.
      process.on('SIGUSR2', () => say({ type: 'asked', held: lease.held }))
      say({ type: 'held', token: String(lease.token) })
      lease.signal.addEventListener('abort', () => say({ type: 'lost', cause: lease.signal.reason.cause }))
    },
    (error) => say({ type: 'failed', code: error.code }),
  )
}
// The answer to this one comes after those of all that were sent before.
setImmediate(() => redis.ping().then(() => say({ type: 'waiting' })))
