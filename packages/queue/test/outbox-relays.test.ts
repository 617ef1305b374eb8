import { fc, test } from '@fast-check/vitest'
import { HeadraceError, seededRandom } from '@headrace/core'
import { createQueue } from '@headrace/queue'
import { createInbox } from '@headrace/queue/inbox'
import { memoryQueue } from '@headrace/queue/memory'
import type { OutboxSink, RelayLease } from '@headrace/queue/outbox'
import { describe, expect, it } from 'vitest'
import { type Published, setUp, unavailable } from './outbox-set-up.ts'
import { deferred } from './set-up.ts'

describe('several relays', () => {
  /** One key, first come, first served; `lose` takes it from its holder. */
  function oneLock() {
    let holder: AbortController | undefined
    const line: (() => void)[] = []
    const lose = () => {
      holder?.abort(new HeadraceError('LOST', 'expired'))
      holder = undefined
      line.shift()?.()
    }
    return {
      lose,
      locks: {
        async acquire(_key: string, { signal }: { readonly signal: AbortSignal }): Promise<RelayLease> {
          while (holder) {
            await new Promise<void>((resolve, reject) => {
              line.push(resolve)
              signal.addEventListener('abort', () => reject(new HeadraceError('ABORTED', 'aborted')))
            })
          }
          const mine = new AbortController()
          holder = mine
          return {
            signal: mine.signal,
            get held() {
              return !mine.signal.aborted
            },
            async release() {
              if (holder === mine) lose()
            },
          }
        },
      },
    }
  }

  it('work one at a time, and the next goes on when the lease of the first is lost', async () => {
    let hang = true
    const { locks, lose } = oneLock()
    const { clock, append, relay, ids, of } = setUp(() => (hang ? new Promise<void>(() => {}) : undefined), { locks })
    append('a1', 'a2')
    const relays = [relay(), relay()]
    await clock.settle()
    expect(of('began')).toHaveLength(1)
    hang = false
    lose()
    await clock.settle()
    expect(of('began')).toHaveLength(2)
    expect(ids()).toEqual(['a1', 'a2'])
    await Promise.all(relays.map((one) => one.close()))
    expect(clock.pending).toBe(0)
  })

  it('stand by without a word while another one works', async () => {
    const { clock, relay, events } = setUp(undefined, {
      locks: {
        async acquire(_key, { waitMs }) {
          await clock.sleep(waitMs)
          throw new HeadraceError('TIMEOUT', 'somebody has it')
        },
      },
    })
    const one = relay()
    await clock.advance(100_000)
    expect(events).toEqual([])
    const closed = one.close()
    await clock.advance(30_000)
    await closed
  })

  it('give up a lock that hangs, and give back what it grants too late', async () => {
    const granted = deferred<RelayLease>()
    let released = 0
    const { clock, relay, of } = setUp(undefined, { locks: { acquire: () => granted.promise } })
    const one = relay()
    await clock.advance(40_000)
    const closed = one.close()
    granted.resolve({
      held: true,
      signal: new AbortController().signal,
      async release() {
        released++
      },
    })
    await closed
    await clock.settle()
    expect(released).toBeGreaterThan(0)
    expect(of('began')).toEqual([])
  })

  it('hazard 33: also without a lock have each message take its effect once, behind an inbox', async () => {
    const { clock, append, relay, sql, db } = setUp()
    const driver = memoryQueue({ clock, random: seededRandom(3), faults: { duplicate: 0.3 } })
    const queue = createQueue<{ id: string }>(driver, 'orders', { clock })
    const inbox = createInbox({ consumer: 'test' })
    for (const statement of inbox.schema('sqlite')) db.exec(statement)
    const effects: string[] = []
    queue.consume((message) => {
      if (inbox.claim(sql, message).fresh) effects.push(message.id)
    })
    const names = Array.from({ length: 300 }, (_, at) => `${'abc'[at % 3]}${at}`)
    append(...names.slice(0, 200))
    const relays = [relay({ queue }), relay({ queue }), relay({ queue })]
    append(...names.slice(200))
    const drained = Promise.all(relays.map((one) => one.drained()))
    await clock.advance(1_000)
    await drained
    await clock.settle()
    for (const key of 'abc') {
      expect(effects.filter((id) => id[0] === key)).toEqual(names.filter((id) => id[0] === key))
    }
    await Promise.all([...relays.map((one) => one.close()), queue.close()])
  })
})

describe('hazard 33: whatever fails on the way', () => {
  const run = fc.array(
    fc.record({
      /** What the transaction appends, if it commits. */
      keys: fc.array(fc.constantFrom('a', 'b', '-'), { maxLength: 4 }),
      commits: fc.boolean(),
      /** What becomes of the next publishes. */
      faults: fc.array(fc.constantFrom('stored', 'unsent', 'confirmation lost', 'hangs', 'twice'), { maxLength: 4 }),
      restarts: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  )

  test.prop([run], { numRuns: 60 })('each message has its effect once, in order per key', async (steps) => {
    const { db, sql, clock, outbox, relay } = setUp()
    const inbox = createInbox({ consumer: 'test' })
    for (const statement of inbox.schema('sqlite')) db.exec(statement)
    const effects: string[] = []
    const faults: string[] = []
    const arrive = ({ key, id, headers }: Pick<Published, 'key' | 'id' | 'headers'>) => {
      if (inbox.claim(sql, { key, id, headers }).fresh) effects.push(id)
    }
    const queue: OutboxSink = {
      async publish(_body, message) {
        const fault = faults.shift() ?? 'stored'
        if (fault === 'unsent') unavailable()
        if (fault === 'hangs') return new Promise(() => {})
        arrive(message)
        if (fault === 'twice') arrive(message)
        if (fault === 'confirmation lost') throw new HeadraceError('TIMEOUT', 'perhaps stored')
      },
    }
    let one = relay({ queue, callMs: 100 })
    const committed: string[] = []
    let made = 0
    for (const { keys, commits, faults: next, restarts } of steps) {
      db.exec('BEGIN')
      const ids = keys.map((key) =>
        outbox.append(sql, { body: 0, id: `${key}${made++}`, key: key === '-' ? undefined : key }),
      )
      db.exec(commits ? 'COMMIT' : 'ROLLBACK')
      if (commits) committed.push(...ids)
      faults.push(...next)
      one.poke()
      await clock.advance(150)
      if (!restarts) continue
      const closed = one.close()
      await clock.advance(200)
      await closed
      one = relay({ queue, callMs: 100 })
    }
    const drained = one.drained()
    await clock.advance(60_000)
    await drained
    for (const key of ['a', 'b']) {
      const of = (ids: readonly string[]) => ids.filter((id) => id[0] === key)
      expect(of(effects)).toEqual(of(committed))
    }
    expect(effects.toSorted()).toEqual(committed.toSorted())
    await one.close()
    expect(clock.pending).toBe(0)
  })
})
