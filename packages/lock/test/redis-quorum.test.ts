import { createLocks } from '@headrace/lock'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { type Answer, agreed, floorFor, raise, verdict, vote, winner } from '../src/quorum/rules.ts'

const yes = (last: number): Answer<string> => ({ yes: true, last })
const no = (owner?: string): Answer<string> => ({ yes: false, owner })

describe('what a client concludes', () => {
  it.each([
    ['a majority with the same counter is a grant, without the slow node', [yes(7), undefined, yes(7)], 'won', 7],
    ['different counters have to be raised to the highest', [yes(7), yes(9), undefined], 'raise', 9],
    ['a lower counter beside a majority that agrees does not matter', [yes(3), yes(9), yes(9)], 'won', 9],
    ['a higher counter of a minority does matter', [yes(8), yes(8), yes(9)], 'raise', 9],
    ['half of the nodes are no majority', [yes(7), yes(7), undefined, undefined], 'open', undefined],
    ['half of the nodes can refuse a majority', [no('x'), no('x'), undefined, undefined], 'lost', undefined],
    ['one refusal of three decides nothing', [no('x'), yes(7), undefined], 'open', undefined],
  ] as const)('%s', (_, answers, state, last) => {
    expect(verdict(answers)).toEqual(last === undefined ? { state } : { state, last })
  })

  it('somebody who owns a majority has the key; a split has no winner', () => {
    expect(winner([no('x'), yes(1), no('x')])).toBe('x')
    expect(winner([no('x'), yes(1), no('y')])).toBeUndefined()
    expect(winner([no(), no(), no('x')])).toBeUndefined()
  })

  it('yes and no are counted over all nodes, answered or not', () => {
    expect(agreed([true, undefined, true])).toBe('won')
    expect(agreed([false, undefined, true])).toBe('open')
    expect(agreed([false, false, undefined])).toBe('lost')
  })
})

describe('what a node does', () => {
  const held = { owner: 'a', last: 10 }
  it('a block of tokens begins above the last one, or where the client proposes', () => {
    const candidate = { id: 'b', after: undefined, tokens: 5 }
    expect(vote({ owner: undefined, last: 10 }, { ...candidate, proposal: 0 })[1]).toEqual(yes(15))
    expect(vote({ owner: undefined, last: 10 }, { ...candidate, proposal: 100 })[1]).toEqual(yes(104))
    expect(vote(held, { ...candidate, proposal: 0 })).toEqual([held, no('a')])
    expect(vote(held, { ...candidate, after: 'a', proposal: 0 })[1]).toEqual(yes(15))
  })
  it('a vote that comes again changes nothing', () => {
    expect(vote(held, { id: 'a', after: undefined, proposal: 50, tokens: 5 })).toEqual([held, yes(10)])
  })
  it('only the owner raises, and never past a token that it has got since', () => {
    expect(raise(held, 'a', 12)).toEqual([{ owner: 'a', last: 12 }, true])
    expect(raise(held, 'b', 12)).toEqual([held, false])
    expect(raise(held, 'a', 9)).toEqual([held, false])
  })
})

describe('a node that has lost its data', () => {
  const sound = (high: number) => ({ ready: true, high })
  const empty = { ready: false, high: 0 }
  it('needs as many sound ones as meet every majority', () => {
    expect(floorFor(0, [empty, sound(5), sound(9)])).toBe(9)
    expect(floorFor(0, [empty, sound(5), undefined])).toBeUndefined()
    expect(floorFor(0, [empty, sound(5), sound(9), sound(7), undefined])).toBe(9)
    expect(floorFor(0, [empty, sound(5), sound(9), undefined, undefined])).toBeUndefined()
  })
  it('or everybody, where too many have lost theirs', () => {
    expect(floorFor(0, [empty, empty, sound(9)])).toBe(9)
    expect(floorFor(0, [empty, empty, empty])).toBe(0)
  })
})

describe('options', () => {
  const clients = [1, 2, 3].map(() => new Redis({ lazyConnect: true }))
  afterAll(() => {
    for (const client of clients) client.disconnect()
  })

  it.each([
    ['clients', () => redisQuorumLocks([])],
    ['clients', () => redisQuorumLocks('redis://' as never)],
    ['clients', () => redisQuorumLocks([clients[0]!, clients[1]!, clients[0]!])],
    ['client', () => redisQuorumLocks([{} as never])],
    ['prefix', () => redisQuorumLocks(clients, { prefix: 'a{b}' })],
    ['ttlMaxMs', () => redisQuorumLocks(clients, { ttlMaxMs: 1.5 })],
    ['nodeMs', () => redisQuorumLocks(clients, { nodeMs: 0 })],
    ['claimMs', () => redisQuorumLocks(clients, { claimMs: Number.NaN })],
    ['tokenKeepMs', () => redisQuorumLocks(clients, { tokenKeepMs: 1_000 })],
  ])('a wrong %s is refused by its name', (name, make) => {
    expect(make).toThrow(name)
  })

  it('a ttl above the longest one is refused: nodes that restart stay out for no longer', () => {
    expect(() => createLocks(redisQuorumLocks(clients, { ttlMaxMs: 5_000 }), { ttlMs: 5_001 })).toThrow('ttlMs')
  })
})
