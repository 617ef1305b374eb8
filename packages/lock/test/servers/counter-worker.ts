// Increments a fenced counter under a lock, again and again, while the test stops, kills and robs it.
import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks } from '@headrace/lock'
import { redisFence } from '@headrace/lock/fence'
import { redisLocks } from '@headrace/lock/redis'
import { Redis } from 'ioredis'

const { lockUrl, resourceUrl, prefix, handoverMax } = JSON.parse(process.argv[2]!)
const client = new Redis(lockUrl, { maxRetriesPerRequest: 1 })
client.on('error', () => {})
const resource = new Redis(resourceUrl)
const locks = createLocks(redisLocks(client, { prefix, claimMs: 200 }), { ttlMs: 400, callMs: 300, handoverMax })
const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`)

const names = [`${prefix}:fence`, `${prefix}:value`, `${prefix}:writes`]
const read = `${redisFence} if not sealed(KEYS[1], ARGV[1]) then return -1 end return tonumber(redis.call('GET', KEYS[2]) or '0')`
const write = `${redisFence}
  if not sealed(KEYS[1], ARGV[1]) then return -1 end
  redis.call('SET', KEYS[2], ARGV[2])
  redis.call('RPUSH', KEYS[3], ARGV[1])
  return 1`

const increment = async () => {
  const lease = await locks.acquire('counter', { waitMs: 5_000 })
  try {
    const token = String(lease.token)
    const value = Number(await resource.eval(read, 3, ...names, token))
    if (value < 0) return say({ type: 'stale' })
    await sleep(Math.random() * 4)
    say({ type: 'writing' })
    const written = Number(await resource.eval(write, 3, ...names, token, String(value + 1)))
    say({ type: written < 0 ? 'stale' : 'written', token })
  } finally {
    await lease.release()
  }
}
const forever = async () => {
  for (;;) await increment().catch((error) => say({ type: 'failed', code: error.code ?? error.message }))
}
await Promise.all([forever(), forever()])
