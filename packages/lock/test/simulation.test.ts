import { randomBelow, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { createLocks, type LockDriver, type LockSession } from '@headrace/lock'
import { lockConformance } from '@headrace/lock/conformance'
import { checkLeases, type Faults, type LeaseRecord, recordLeases, simulatedServer } from '@headrace/lock/simulation'
import { describe, expect, it } from 'vitest'

const seeds = Array.from({ length: 8 }, (_, n) => n + 1)

describe('a simulated server without faults keeps the contract', () => {
  const supports = simulatedServer({ clock: manualClock(), random: seededRandom(1) }).driver.supports
  lockConformance({
    test: it,
    supports,
    create() {
      const clock = manualClock()
      const { driver } = simulatedServer({ clock, random: seededRandom(1) })
      // A network that takes no time still needs the clock to run its timers.
      const running: LockDriver = {
        ...driver,
        open(events) {
          const session = driver.open(events)
          const run = async <T>(work: Promise<T>): Promise<T> => {
            await clock.advance(0)
            await clock.advance(0)
            return await work
          }
          return {
            acquire: (requests) => run(session.acquire(requests)),
            renew: (requests) => run(session.renew(requests)),
            release: (requests) => run(session.release(requests)),
            inspect: (key) => run(session.inspect(key)),
            evict: (key, how) => run(session.evict(key, how)),
            close: session.close,
          }
        },
      }
      return { subject: { driver: running, peer: running, clock, ttlMs: 400, elapse: (ms) => clock.advance(ms) } }
    },
  })
})

/** Some processes that take keys at random for a minute of virtual time, and then one of peace. */
async function run(
  seed: number,
  options: { faults: Faults; handoverMax: number; wipe?: boolean; change?: (driver: LockDriver) => LockDriver },
) {
  const clock = manualClock()
  const random = seededRandom(seed)
  const server = simulatedServer({ clock, random, ...options.faults })
  const history = recordLeases()
  const processes = Array.from({ length: 4 }, () =>
    createLocks(options.change?.(server.driver) ?? server.driver, {
      clock,
      random,
      handoverMax: options.handoverMax,
      ttlMs: 400,
      callMs: 100,
    }),
  )
  let running = true
  const errors = new Set<string>()
  const work = processes.flatMap((locks, at) =>
    Array.from({ length: 3 }, async () => {
      while (running) {
        const key = `k${randomBelow(random, 2)}`
        const stop = new AbortController()
        const cancel = clock.after(random.next() < 0.1 ? random.next() * 50 : 100_000, () => stop.abort())
        const mode = random.next() < 0.2 ? 'shared' : 'exclusive'
        await history
          .acquire(`p${at}`, locks, key, { waitMs: 300, signal: stop.signal, mode })
          .then(async (lease) => {
            await clock.sleep(random.next() * (random.next() < 0.05 ? 1_000 : 30))
            await lease.release()
          })
          .catch((error) => errors.add(error.code))
        cancel()
        await clock.sleep(random.next() * 20)
      }
    }),
  )
  for (let turn = 0; turn < 20; turn++) {
    await clock.advance(200)
    if (random.next() < 0.2) server.pause()
    if (options.wipe && random.next() < 0.1) server.wipe()
    await clock.advance(50)
    server.resume()
  }
  running = false
  server.fail({})
  await clock.advance(2_000)
  await Promise.all(work)
  await clock.advance(5_000)
  // Nothing is lost for good: every key is free again, and can be had.
  for (let key = 0; key < 2; key++) {
    const again = processes[0]!.tryAcquire(`k${key}`)
    await clock.advance(10)
    expect((await again)?.held).toBe(true)
  }
  const closed = Promise.all(processes.map((locks) => locks.close()))
  await clock.advance(1_000)
  await closed
  return { records: history.records, errors, clock, server }
}

describe('under faults', () => {
  const faults = { latencyMaxMs: 8, requestLoss: 0.02, answerLoss: 0.02, noticeLoss: 0.05 }

  it.each(seeds)('leases exclude each other and tokens grow, with cohorts (seed %i)', async (seed) => {
    const { records, errors } = await run(seed, { faults, handoverMax: 16 })
    expect(records.length).toBeGreaterThan(100)
    expect(checkLeases(records)).toEqual([])
    for (const code of errors) expect(['TIMEOUT', 'UNAVAILABLE', 'ABORTED']).toContain(code)
  })

  it.each(seeds)('leases exclude each other and tokens grow, each with its own place (seed %i)', async (seed) => {
    const { records } = await run(seed, { faults, handoverMax: 0 })
    expect(checkLeases(records)).toEqual([])
  })

  it.each(seeds.slice(0, 4))('tokens grow over a server that loses everything (seed %i)', async (seed) => {
    const { records } = await run(seed, { faults, handoverMax: 4, wipe: true })
    // Who held when the server forgot is told later than the next one gets the key: only the tokens tell them apart.
    expect(checkLeases(records, { exclusion: false })).toEqual([])
  })
})

describe('a run catches a driver that', () => {
  const breakages: [string, (session: LockSession) => Partial<LockSession>][] = [
    ['says that it renewed', () => ({ renew: async (r) => r.map(() => ({ state: 'held', token: 0n })) })],
    [
      'gives each holder the tokens of the next one too',
      (session) => ({
        acquire: async (requests) => {
          const answers = await session.acquire(requests.map((one) => ({ ...one, tokens: 1 })))
          return answers.map((one) => (one.state === 'held' ? { ...one, tokens: 17 } : one))
        },
      }),
    ],
  ]
  it.each(breakages)(
    '%s',
    async (_, breaks) => {
      const change = (driver: LockDriver): LockDriver => ({
        ...driver,
        open(events) {
          const session = driver.open(events)
          return { ...session, ...breaks(session) }
        },
      })
      const faults = { latencyMaxMs: 8, answerLoss: 0.02, noticeLoss: 0.05 }
      let wrong = 0
      for (const seed of seeds.slice(0, 4)) {
        const { records } = await run(seed, { faults, handoverMax: 16, change }).catch(() => ({ records: [] }))
        wrong += checkLeases(records).length
      }
      expect(wrong).toBeGreaterThan(0)
    },
    20_000,
  )
})

describe('in peace', () => {
  it('the order is that of arrival, across processes', async () => {
    const clock = manualClock()
    const { driver } = simulatedServer({ clock, random: seededRandom(3) })
    const history = recordLeases()
    const processes = Array.from({ length: 4 }, () => createLocks(driver, { clock, handoverMax: 0, waitMs: 60_000 }))
    const work: Promise<unknown>[] = []
    for (let n = 0; n < 60; n++) {
      work.push(
        history.acquire(`p${n % 4}`, processes[n % 4]!, 'k').then(async (lease) => {
          await clock.sleep(5)
          await lease.release()
        }),
      )
      await clock.advance(1)
    }
    await clock.advance(1_000)
    await Promise.all(work)
    expect(history.records).toHaveLength(60)
    expect(checkLeases(history.records, { order: 'fifo' })).toEqual([])
  })

  it('the same seed is the same run', async () => {
    const tokens = async () => {
      const { records } = await run(7, { faults: { latencyMaxMs: 5, answerLoss: 0.05 }, handoverMax: 4 })
      return records.map(({ process, key, token }) => `${process} ${key} ${token}`)
    }
    expect(await tokens()).toEqual(await tokens())
  })
})

describe('the checker finds', () => {
  const record = (part: Partial<LeaseRecord>): LeaseRecord => ({
    process: 'p',
    key: 'k',
    token: 1n,
    exclusive: true,
    invokedAt: 0,
    acquiredAt: 1,
    endedAt: 2,
    ...part,
  })
  const next = { invokedAt: 3, acquiredAt: 4, endedAt: 5 }

  it.each([
    ['the same token twice', [record({}), record({ ...next, process: 'q' })], /is also p's/],
    ['a token that went back', [record({ token: 9n }), record({ ...next, token: 8n })], /is not above/],
    ['two holders', [record({ endedAt: 9 }), record({ ...next, token: 2n })], /while p's 1 of "k" was held/],
    [
      'an older token that came later',
      [record({ token: 9n }), record({ token: 8n, invokedAt: 0, acquiredAt: 4, endedAt: 5 })],
      /with an older token/,
    ],
  ])('%s', (_, records, message) => {
    expect(checkLeases(records).join()).toMatch(message)
  })

  it('one who was served before another that had asked first, where order was promised', () => {
    const records = [record({ invokedAt: 1, acquiredAt: 2, endedAt: 3 }), record({ ...next, token: 2n, invokedAt: 0 })]
    expect(checkLeases(records)).toEqual([])
    expect(checkLeases(records, { order: 'fifo' }).join()).toMatch(/had asked first/)
  })

  it('nothing in readers that share a key', () => {
    const readers = [record({ exclusive: false, endedAt: 9 }), record({ ...next, exclusive: false, token: 2n })]
    expect(checkLeases(readers)).toEqual([])
  })
})

it('a share that is none is refused', () => {
  expect(() => simulatedServer({ clock: manualClock(), random: seededRandom(1), answerLoss: 2 })).toThrow(/answerLoss/)
})
