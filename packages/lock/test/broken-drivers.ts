import type { LockDriver, LockEvents, LockSession } from '@headrace/lock'

type Breakage = (good: LockSession, events: LockEvents) => Partial<LockSession>

/** The memory driver, with a part of its sessions, or of what they tell, replaced. */
function broken(breakSession: Breakage, tell: (events: LockEvents) => Partial<LockEvents> = () => ({})) {
  return (good: LockDriver): LockDriver => ({
    ...good,
    open(events) {
      const session = good.open({ ...events, ...tell(events) })
      return { ...session, ...breakSession(session, events) }
    },
  })
}

const keyed = (good: LockSession, rename: (key: string) => string): Partial<LockSession> => ({
  acquire: (requests) => good.acquire(requests.map((one) => ({ ...one, key: rename(one.key) }))),
  renew: (requests) => good.renew(requests.map((one) => ({ ...one, key: rename(one.key) }))),
  release: (requests) => good.release(requests.map((one) => ({ ...one, key: rename(one.key) }))),
})

let last = ''

/** What is wrong with a driver, how it is made from a good one, and the rule that must find out. */
export const breakages: readonly [string, (good: LockDriver) => LockDriver, rule: string][] = [
  [
    'grants nothing',
    broken(() => ({ acquire: async (requests) => requests.map(() => ({ state: 'gone' })) })),
    'grants a free key',
  ],
  [
    'grants everything',
    broken((good) => ({
      acquire: async (requests) => {
        const answers = await good.acquire(requests)
        return answers.map((answer) => (answer.state === 'gone' ? { state: 'held', token: 1n } : answer))
      },
    })),
    'refuses a held key, to anyone, through any session',
  ],
  [
    'cuts long keys',
    broken((good) => keyed(good, (key) => key.slice(0, 1))),
    'keeps keys apart, whatever characters they have',
  ],
  [
    'does not free on release',
    broken(() => ({ release: async (requests) => requests.map(() => true) })),
    'release frees the key, once',
  ],
  [
    'releases for anyone',
    broken((good) => ({
      acquire: (requests) => {
        last = requests[0]!.id
        return good.acquire(requests)
      },
      release: (requests) => good.release(requests.map((one) => ({ ...one, id: last }))),
    })),
    'a stranger can neither renew nor release',
  ],
  [
    'throws on an unknown id',
    broken((good) => ({
      release: async (requests) => {
        const answers = await good.release(requests)
        if (answers.includes(false)) throw new Error('unknown')
        return answers
      },
    })),
    'forgets an id that it does not know, without a word',
  ],
  [
    'never expires',
    broken((good) => ({ acquire: (r) => good.acquire(r.map((one) => ({ ...one, ttlMs: 1e9 }))) })),
    'the ttl ends',
  ],
  [
    'grants a lost key back on renewal',
    broken((good) => ({
      renew: async (requests) => {
        const answers = await good.renew(requests)
        if (answers[0]?.state !== 'gone') return answers
        return await good.acquire(requests.map((one) => ({ ...one, tokens: 1, waitMs: 0 })))
      },
    })),
    'an expired owner cannot renew',
  ],
  [
    'does not renew',
    broken(() => ({ renew: async (requests) => requests.map(() => ({ state: 'held', token: 0n })) })),
    'renew restarts the ttl',
  ],
  [
    'checks, then sets, with a gap',
    broken((good) => ({
      acquire: async (requests) => {
        const free = (await good.inspect(requests[0]!.key)) === null
        await Promise.resolve()
        return free ? requests.map(() => ({ state: 'held', token: 1n })) : await good.acquire(requests)
      },
    })),
    'a race has one winner',
  ],
  [
    'takes a repeated request for a new one',
    broken((good) => {
      let n = 0
      return { acquire: (requests) => good.acquire(requests.map((one) => ({ ...one, id: `${one.id}+${n++}` }))) }
    }),
    'the same request twice is one request',
  ],
  [
    'answers a batch in reverse',
    broken((good) => ({ acquire: async (requests) => [...(await good.acquire(requests))].reverse() })),
    'answers the requests of one call in their order, each for itself',
  ],
  [
    'starts tokens again for each holder',
    broken((good) => ({
      acquire: async (requests) =>
        (await good.acquire(requests)).map((one) => (one.state === 'held' ? { ...one, token: 1n } : one)),
    })),
    'tokens only grow, across release, expiry and sessions',
  ],
  [
    'says it reserved tokens that it did not',
    broken((good) => ({
      acquire: async (requests) =>
        (await good.acquire(requests.map((one) => ({ ...one, tokens: 1 })))).map((one) =>
          one.state === 'held' ? { ...one, tokens: 5 } : one,
        ),
    })),
    'reserved tokens are above all earlier and below all later ones',
  ],
  [
    'frees everything when a session closes',
    (good) => {
      const open: LockSession[] = []
      return {
        ...good,
        open(events) {
          const session = good.open(events)
          open.push(session)
          return { ...session, close: async () => void (await Promise.all(open.map((one) => one.close()))) }
        },
      }
    },
    'a session that closes leaves the others alone',
  ],
  [
    'forgets the label',
    broken((good) => ({ acquire: (r) => good.acquire(r.map((one) => ({ ...one, label: undefined }))) })),
    'inspect shows who holds and who waits, and null when nobody does',
  ],
  [
    'takes the key when it should only ask',
    broken((good) => ({ evict: (key) => good.evict(key, 'force') })),
    'asking tells the holder and takes nothing',
  ],
  [
    'does not tell who was forced out',
    broken(
      () => ({}),
      () => ({ lost() {} }),
    ),
    'force takes the key and tells the holder',
  ],
  [
    'does not tell of a grant',
    broken(
      () => ({}),
      () => ({ granted() {} }),
    ),
    'a released key goes to who waits for it',
  ],
  [
    'says it queues and does not',
    broken((good) => ({
      acquire: async (requests) => {
        const answers = await good.acquire(requests.map((one) => ({ ...one, waitMs: 0 })))
        return answers.map((one, at) => (one.state === 'gone' && requests[at]!.waitMs > 0 ? { state: 'queued' } : one))
      },
    })),
    'who waits gets the key when the ttl of the holder has ended',
  ],
  [
    'serves the last who came first',
    (good) => {
      const stack: [LockSession, string, string][] = []
      return {
        ...good,
        open(events) {
          const session = good.open(events)
          return {
            ...session,
            async acquire(requests) {
              const [first] = requests
              const answers = await session.acquire(requests.map((one) => ({ ...one, waitMs: 0 })))
              if (answers[0]?.state !== 'gone' || first!.waitMs === 0) return answers
              stack.push([session, first!.key, first!.id])
              return [{ state: 'queued' }]
            },
            async release(requests) {
              const answers = await session.release(requests)
              const next = answers[0] && stack.pop()
              if (next) {
                const [held] = await next[0].acquire([
                  { key: next[1], id: next[2], ttlMs: 60_000, waitMs: 0, tokens: 1 },
                ])
                if (held?.state === 'held') events.granted(next[2], held)
              }
              return answers
            },
          }
        },
      }
    },
    'the key goes round in the order of arrival, across sessions',
  ],
  [
    'lets a newcomer pass',
    broken((good) => ({
      acquire: async (requests) => {
        const answers = await good.acquire(requests)
        return answers.map((one, at) =>
          one.state === 'gone' && requests[at]!.id.endsWith('.2') ? { state: 'held', token: 9n } : one,
        )
      },
    })),
    'a newcomer does not pass those who wait',
  ],
  [
    'keeps the place of who withdrew',
    broken((good) => ({
      release: (requests) => (requests[0]!.id.endsWith('w1') ? Promise.resolve([false]) : good.release(requests)),
    })),
    'who withdraws is passed over',
  ],
  [
    'queues for ever',
    broken((good) => ({
      acquire: (r) => good.acquire(r.map((one) => ({ ...one, waitMs: one.waitMs > 0 ? 1e9 : 0 }))),
    })),
    'who has waited its time out is passed over',
  ],
  [
    'does not say from when a grant counts',
    broken(
      () => ({}),
      (events) => ({
        granted: (id, { sinceMs: _, ...held }) => events.granted(id, held),
      }),
    ),
    'a grant that is told counts from no later than when it was made',
  ],
  [
    'shows no queue',
    broken((good) => ({
      inspect: async (key) => {
        const found = await good.inspect(key)
        return found && { ...found, queue: [] }
      },
    })),
    'inspect shows the queue in its order',
  ],
  [
    'lets writers in beside readers',
    broken((good) => ({
      acquire: (r) => good.acquire(r.map((one) => ({ ...one, share: one.share ?? { weight: 1, capacity: 2 ** 31 } }))),
    })),
    'readers share a key, and keep writers out',
  ],
  [
    'counts holders instead of permits',
    broken((good) => ({
      acquire: (r) =>
        good.acquire(
          r.map((one) => (one.share ? { ...one, share: { weight: 1, capacity: one.share.capacity } } : one)),
        ),
    })),
    'permits are granted up to the capacity, and each holder is renewed for itself',
  ],
]
