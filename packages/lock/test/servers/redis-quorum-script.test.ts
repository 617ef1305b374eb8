import { randomBelow, seededRandom, systemClock } from '@headrace/core'
import { serverUrl } from '@headrace/stack'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type QuorumNode, quorumNode } from '../../src/quorum/node.ts'
import { type Ballot, free, join, raise, renew, vote } from '../../src/quorum/rules.ts'
import { freshPrefix } from './redis-setup.ts'

const client = new Redis(serverUrl('redis'))
afterAll(() => client.disconnect())

const prefix = freshPrefix()
const epochMs = 3_600_000
let node: QuorumNode
const open = (ttlMaxMs: number): QuorumNode =>
  quorumNode({
    ...{ client, clock: systemClock, prefix, session: 's', nodeMs: 5_000 },
    ...{ terms: `${epochMs} 1000 ${ttlMaxMs}`, heard() {}, trouble() {} },
  })
beforeAll(() => {
  node = open(1)
})

/** One operation as the script answers it. */
const ask = (key: string, operation: string) =>
  new Promise<unknown>((resolve, reject) =>
    node.send(key, operation, (reply) => ('error' in reply ? reject(reply.error) : resolve(reply.value))),
  )

it('a node without a marker neither votes nor renews before it is admitted, and then votes from the floor on', async () => {
  expect(await ask('k', 'v s.a s.a - 0 1 1000 0 ')).toEqual([4, expect.any(Number), 1])
  expect(await ask('k', 'k s.a 1000')).toBe(3)
  expect(await ask('k', 'j s.a 1 1 1000 ')).toBe(0)
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(await ask('', 'a 41 0')).toBe(1)
  expect(await ask('k', 'v s.a s.a - 0 1 1000 0 ')).toEqual([1, 42])
  expect(await ask('', 'p')).toEqual([1, 42, 0, 0, 0])
})

it('a node is not admitted before the longest ttl has passed', async () => {
  const young = freshPrefix()
  const slow = quorumNode({
    ...{ client, clock: systemClock, prefix: young, session: 's', nodeMs: 5_000 },
    ...{ terms: `${epochMs} 1000 1000000000`, heard() {}, trouble() {} },
  })
  const answers = await new Promise<unknown[]>((resolve) => {
    const found: unknown[] = []
    for (const operation of ['a 0 0', 'a 0 1', 'v s.a s.a - 0 1 1000 0 '])
      slow.send('k', operation, (reply) => {
        found.push('value' in reply && reply.value)
        if (found.length === 3) resolve(found)
      })
  })
  expect(answers.slice(0, 2)).toEqual([0, 0])
  expect(answers[2]).toEqual([4, expect.any(Number), 1])
})

it('the script follows the rules, whatever comes in whatever order', async () => {
  const seed = Number(process.env['HEADRACE_SEED'] ?? Date.now() % 1e9)
  const random = seededRandom(seed)
  const below = (bound: number) => randomBelow(random, bound)
  const names = ['s.a', 's.b', 't.c']
  for (let round = 0; round < 30; round++) {
    const key = `round ${round}`
    // The counter of an unknown key begins at the floor of the node.
    let ballot: Ballot<string> = { owner: undefined, last: 41 }
    for (let step = 0; step < 40; step++) {
      const id = names[below(3)]!
      const last = 40 + below(30)
      const what = below(6)
      const trace = `seed ${seed}, round ${round}, step ${step}: ${what} by ${id} with ${last} at ${JSON.stringify(ballot)}`
      if (what <= 1) {
        const after = below(2) === 0 ? undefined : names[below(3)]!
        const tokens = 1 + below(3)
        const [then, answer] = vote(ballot, { id, after, proposal: last, tokens })
        const reply = await ask(key, `v ${id} ${id} ${after ?? '-'} ${last} ${tokens} 60000 0 label with spaces`)
        expect(reply, trace).toEqual(answer.yes ? [1, answer.last] : [3, expect.any(Number), answer.owner])
        ballot = then
      } else {
        const [then, yes] =
          what === 2
            ? raise(ballot, id, last)
            : what === 3
              ? join(ballot, id, last)
              : what === 4
                ? free(ballot, id)
                : [ballot, renew(ballot, id)]
        const operation = [`r ${id} ${last}`, `j ${id} ${last} 1 60000 `, `f ${id}`, `k ${id} 60000`][what - 2]!
        const reply = Number(await ask(key, operation))
        // An owner that was passed over may be told once more that it held until then.
        if (what === 4 && !yes) expect([0, 1], trace).toContain(reply)
        else expect(reply === 1, trace).toBe(yes)
        ballot = then
      }
    }
  }
})

it('counters outlive their keys: the floor follows what was given out two epochs ago, at once where the clock has jumped', async () => {
  const marker = async () => (await client.get(`${prefix}:node`))!.split(' ')
  await ask('old', 'v s.a s.a - 1000 1 1000 0 ')
  const [, run, epoch] = await marker()
  const rewrite = (at: number) => client.set(`${prefix}:node`, `r ${run} ${at} 41 500 1000`)
  await rewrite(Number(epoch) - 1)
  await ask('k', 'f s.none')
  expect((await marker()).slice(2)).toEqual([epoch, '500', '1000', '1000'])
  for (const jump of [-2, 1, 5]) {
    await rewrite(Number(epoch) + jump)
    expect(await ask(`new ${jump}`, 'v s.a s.a - 0 1 1000 0 ')).toEqual([1, 1001])
  }
})

it('a proposal from a clock that is far ahead does not use up the tokens', async () => {
  const [, last] = (await ask('ahead', `v s.a s.a - ${Number.MAX_SAFE_INTEGER} 1 1000 0 `)) as number[]
  expect(last).toBeLessThan((Date.now() + 2 * 86_400_000) * 1_000)
})

it('a value that is no lock is an error of its own request only', async () => {
  await client.set(`${prefix}:{foreign}`, 'something else')
  await client.lpush(`${prefix}:{list}`, 'x')
  for (const key of ['foreign', 'list']) await expect(ask(key, 'v s.a s.a - 0 1 1000 0 ')).rejects.toThrow('WRONGTYPE')
  expect(await ask('fine', 'v s.a s.a - 0 1 1000 0 ')).toEqual([1, expect.any(Number)])
})

it('every key but the marker ends by itself', async () => {
  await ask('idle', 'v s.a s.a - 0 1 1000 0 ')
  await ask('idle', 'v t.b t.b - 0 1 1000 5000 ')
  await ask('idle', 'f s.a')
  const names = await client.keys(`${prefix}:*idle*`)
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) expect(await client.pttl(name), name).toBeGreaterThan(0)
})
