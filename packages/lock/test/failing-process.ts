// A process whose backend fails in every way, at once and late, while nobody looks at what its calls return.
import { systemClock } from '@headrace/core'
import { createLocks, type LockDriver, type LockSession } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'

const memory = memoryLocks()
let mode = 0

/** Works, fails at once, fails when nobody waits for it any more, or is never heard of again. */
function unreliable<T>(work: () => Promise<T>): Promise<T> {
  switch (mode++ % 4) {
    case 0:
      return work()
    case 1:
      return Promise.reject(new Error('ECONNRESET'))
    case 2:
      return systemClock.sleep(60).then(() => Promise.reject(new Error('ETIMEDOUT')))
    default:
      return new Promise(() => {})
  }
}

const driver: LockDriver = {
  ...memory,
  open(events) {
    const good = memory.open(events)
    const session: LockSession = {
      acquire: (requests) => unreliable(() => good.acquire(requests)),
      renew: (requests) => unreliable(() => good.renew(requests)),
      release: (requests) => unreliable(() => good.release(requests)),
      inspect: (key) => unreliable(() => good.inspect(key)),
      evict: (key, how) => unreliable(() => good.evict(key, how)),
      close: () => unreliable(() => good.close()),
    }
    return session
  },
}

const locks = createLocks(driver, { callMs: 30, ttlMs: 60, waitMs: 100 })
const ended: Promise<unknown>[] = []
for (let n = 0; n < 40; n++) {
  // What a caller forgets to release, is lost; what it does not look at must not end its process.
  ended.push(locks.acquire(`k${n % 8}`, { mode: n % 3 ? 'exclusive' : 'shared' }).catch(() => {}))
  ended.push(locks.withLock(`w${n % 8}`, () => systemClock.sleep(5)).catch(() => {}))
}
await Promise.all(ended)
await systemClock.sleep(150)
await locks.close()
process.stdout.write('closed')
