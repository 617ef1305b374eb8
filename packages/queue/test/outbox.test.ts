import { createOutbox, type OutboxSink } from '@headrace/queue/outbox'
import type { Sql } from '@headrace/queue/sql'
import { describe, expect, it } from 'vitest'
import { setUp, unavailable } from './outbox-set-up.ts'
import { deferred, outcome } from './set-up.ts'

describe('appending', () => {
  it('is part of the transaction of the caller', async () => {
    const { db, append, relay, ids } = setUp()
    db.exec('BEGIN')
    append('a1', 'b1')
    db.exec('ROLLBACK')
    db.exec('BEGIN')
    append('a2')
    db.exec('COMMIT')
    await relay().drained()
    expect(ids()).toEqual(['a2'])
  })

  it('numbers the messages of a key without a gap, also over transactions that are rolled back', async () => {
    const { db, append, relay, published } = setUp()
    append('a1', 'b1')
    db.exec('BEGIN')
    append('a2')
    db.exec('ROLLBACK')
    append('a3', '-')
    await relay().drained()
    const numbers = published.map(({ id, headers }) => [id, headers['headrace-sequence']])
    expect(numbers.toSorted()).toEqual([
      ['-', undefined],
      ['a1', '1/shop'],
      ['a3', '2/shop'],
      ['b1', '1/shop'],
    ])
  })

  it('gives an id of its own to what has none, and carries body and headers as they are', async () => {
    const { sql, outbox, relay, published } = setUp()
    const body = { text: 'nul \0 ✓', list: [1, null] }
    const first = outbox.append(sql, { body, key: 'nul \0', headers: { 'x-nul': '\0' } })
    const second = outbox.append(sql, { body: null })
    expect(first).not.toBe(second)
    await relay().drained()
    expect(published[0]).toMatchObject({ body, id: first, key: 'nul \0', headers: { 'x-nul': '\0' } })
    expect(published[1]).toMatchObject({ body: null, id: second, key: undefined })
  })

  it('refuses at once what could never be published', () => {
    const { sql, outbox } = setUp()
    expect(() => outbox.append(sql, { body: undefined })).toThrow('body must be a JSON value')
    expect(() => outbox.append(sql, { body: 1, key: '' })).toThrow('key must not be empty')
    expect(() => outbox.append(sql, { body: 1, id: 'x'.repeat(513) })).toThrow('id must be at most')
    expect(() => outbox.append(sql, { body: 1, headers: { a: 1 as never } })).toThrow('header "a"')
    expect(() => outbox.append(sql, { body: 'x'.repeat(2 ** 20), id: 'm' })).toThrow(
      'message "m" must be at most 1048576 bytes, has 1048578',
    )
    expect(() => createOutbox({ name: '' })).toThrow('name must not be empty')
    expect(() => createOutbox({ name: 'a'.repeat(101) })).toThrow('name must be at most 100')
  })

  it('answers later where the database does', async () => {
    const { sql, outbox, relay, published } = setUp()
    const later: Sql = { dialect: 'sqlite', run: async (...call) => sql.run(...call) }
    expect(await outbox.append(later, { body: 1, id: 'm', key: 'k' })).toBe('m')
    await relay({ sql: later }).drained()
    expect(published[0]).toMatchObject({ id: 'm', headers: { 'headrace-sequence': '1/shop' } })
  })
})

describe('a relay', () => {
  it('publishes what was there before it, what is announced, and what nobody announced', async () => {
    const { clock, append, relay, ids, left } = setUp()
    append('a1')
    const one = relay()
    await clock.settle()
    expect(ids()).toEqual(['a1'])
    append('a2')
    one.poke()
    await clock.settle()
    expect(ids()).toEqual(['a1', 'a2'])
    append('a3')
    await clock.advance(1_000)
    expect(ids()).toEqual(['a1', 'a2', 'a3'])
    expect(left()).toBe(0)
    await one.close()
    expect(clock.pending).toBe(0)
  })

  it('holds up the key of a message that cannot be published, and no other', async () => {
    let away = true
    const { clock, append, relay, ids, of } = setUp(({ id }) => (away && id === 'a1' ? unavailable() : undefined))
    // More of the key than are read at once: those of other keys behind it must be found.
    append('a1', ...Array.from({ length: 600 }, (_, at) => `a${at + 2}`), 'b1', 'b2')
    const one = relay()
    await clock.settle()
    expect(ids()).toEqual(['b1', 'b2'])
    expect(of('failed')).toMatchObject([{ outbox: 'shop', error: { code: 'UNAVAILABLE' } }])
    away = false
    const done = one.drained()
    await clock.advance(100)
    await done
    expect(ids().slice(2)).toEqual(Array.from({ length: 601 }, (_, at) => `a${at + 1}`))
  })

  it('publishes together where the queue can, and one by one after that has failed, until all are out', async () => {
    const { relay, append, clock, left, of } = setUp()
    const calls: string[][] = []
    let refusals = 1
    const queue: OutboxSink = {
      async publish(_, { id }) {
        calls.push([id])
        if (id === 'a2' && refusals-- === 0) throw new Error('bad')
      },
      async publishAll(messages) {
        calls.push(messages.map(({ id }) => id))
        if (refusals-- > 0) throw new Error('one of them is bad')
      },
    }
    append('a1', 'a2', 'b1')
    await using working = relay({ queue })
    await clock.advance(10_000)
    // The second is bad twice: its key waits, and all goes on one by one.
    expect(calls).toEqual([['a1', 'a2', 'b1'], ['a1'], ['b1'], ['a2'], ['a2']])
    expect(left()).toBe(0)
    append('a3', 'a4')
    working.poke()
    await clock.settle()
    expect(calls.slice(5)).toEqual([['a3', 'a4']])
    expect(of('failed')).toHaveLength(2)
  })

  it('does not read on through an outbox whose queue is away, and pauses longer and longer', async () => {
    let calls = 0
    const { clock, append, relay, of } = setUp(() => {
      calls++
      unavailable()
    })
    append(...Array.from({ length: 1_000 }, () => '-'))
    const one = relay()
    await clock.settle()
    expect(calls).toBe(256)
    await clock.advance(60_000)
    expect(of('failed').length).toBeLessThan(20)
    await one.close()
  })

  it('gives up an attempt that hangs, and makes it again', async () => {
    let hang = true
    const signals: AbortSignal[] = []
    const { clock, append, relay, ids } = setUp(({ signal }) => {
      signals.push(signal)
      return hang ? new Promise<void>(() => {}) : undefined
    })
    append('a1', 'a2')
    const one = relay({ callMs: 500 })
    await clock.advance(500)
    expect(signals.map((signal) => signal.aborted)).toEqual([true])
    hang = false
    await clock.advance(1_000)
    expect(ids()).toEqual(['a1', 'a2'])
    await one.close()
  })

  it('is not stopped by a row that somebody has broken', async () => {
    const { db, append, relay, ids, clock, of } = setUp()
    append('a1', 'a2', 'b1')
    db.exec("UPDATE headrace_outbox SET payload = '{' WHERE id = 'a1'")
    const one = relay()
    await clock.settle()
    expect(ids()).toEqual(['b1'])
    expect(of('failed')).toMatchObject([{ error: { name: 'SyntaxError' } }])
    db.exec("DELETE FROM headrace_outbox WHERE id = 'a1'")
    await clock.advance(1_000)
    expect(ids()).toEqual(['b1', 'a2'])
    await one.close()
  })

  it('survives a database that fails, and tells of it', async () => {
    const { sql, clock, append, relay, ids, of } = setUp()
    append('a1')
    let broken = true
    const one = relay({
      sql: {
        dialect: 'sqlite',
        run: async (...call) => (broken ? Promise.reject(new Error('the disk is gone')) : sql.run(...call)),
      },
    })
    await clock.settle()
    expect(of('failed')).toMatchObject([{ error: { message: 'the disk is gone' } }])
    broken = false
    await clock.advance(1_000)
    expect(ids()).toEqual(['a1'])
    await one.close()
  })

  it('closes after what is being published, and leaves the rest', async () => {
    const slow = deferred()
    const { clock, append, relay, ids, left } = setUp(() => slow.promise)
    append('a1', 'a2', 'b1')
    const one = relay()
    const drained = one.drained()
    await clock.settle()
    const closed = one.close()
    slow.resolve()
    await Promise.all([closed, drained, one.drained()])
    expect(ids()).toEqual(['a1', 'b1'])
    expect(left()).toBe(1)
    expect(clock.pending).toBe(0)
  })

  it('is waited for no longer than a signal allows', async () => {
    const { clock, append, relay } = setUp(unavailable)
    append('a1')
    const one = relay()
    const stop = new AbortController()
    const drained = outcome(one.drained({ signal: stop.signal }))
    await clock.advance(5_000)
    stop.abort('enough')
    expect(await drained).toMatchObject({ code: 'ABORTED', cause: 'enough' })
    expect(await outcome(one.drained({ signal: stop.signal }))).toMatchObject({ code: 'ABORTED' })
    await one.close()
  })

  it('bad options are named', () => {
    const { relay } = setUp()
    expect(() => relay({ pollMs: 0 })).toThrow('pollMs')
    expect(() => relay({ callMs: -1 })).toThrow('callMs')
  })
})
