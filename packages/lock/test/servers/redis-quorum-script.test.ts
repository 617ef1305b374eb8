import { randomBelow, seededRandom, systemClock } from '@headrace/core'
import { serverUrl } from '@headrace/stack'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type QuorumNode, quorumNode } from '../../src/quorum/node.ts'
import { type Ballot, free, join, raise, renew, vote } from '../../src/quorum/rules.ts'
import { simulatedNode } from '../quorum-nodes.ts'
import { freshPrefix } from './redis-setup.ts'

const client = new Redis(serverUrl('redis'))
afterAll(() => client.disconnect())

const prefix = freshPrefix()
const epochMs = 3_600_000
let node: QuorumNode
const open = (ttlMaxMs: number, own = prefix): QuorumNode =>
  quorumNode({
    ...{ client, clock: systemClock, prefix: own, session: 's', nodeMs: 5_000 },
    ...{ tokenKeepMs: epochMs, terms: `1000 ${ttlMaxMs}`, heard() {}, trouble() {} },
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
  const [, , , , , since] = (await ask('', 'p')) as number[]
  expect(await ask('', `a 41 0 ${since! - 1}`), 'what was copied before it lost its data once more').toBe(0)
  expect(await ask('', `a 41 0 ${since}`)).toBe(1)
  expect(await ask('k', 'v s.a s.a - 0 1 1000 0 ')).toBe(42)
  const [ready, high] = (await ask('', 'p')) as number[]
  expect(ready).toBe(1)
  expect(high).toBeGreaterThanOrEqual(42)
})

it('a node is not admitted before the longest ttl has passed', async () => {
  const young = freshPrefix()
  const slow = quorumNode({
    ...{ client, clock: systemClock, prefix: young, session: 's', nodeMs: 5_000 },
    ...{ tokenKeepMs: epochMs, terms: '1000 1000000000', heard() {}, trouble() {} },
  })
  const since = await new Promise((resolve) =>
    slow.send('', 'p', (reply) => resolve('value' in reply && (reply.value as number[])[5])),
  )
  const answers = await new Promise<unknown[]>((resolve) => {
    const found: unknown[] = []
    for (const operation of [`a 0 0 ${since}`, `a 0 1 ${since}`, 'v s.a s.a - 0 1 1000 0 '])
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
      // The first operation that is neither vote nor release has the script do the rest of a call in its general way.
      if (below(2) === 0) node.send('none', 'i')
      const trace = `seed ${seed}, round ${round}, step ${step}: ${what} by ${id} with ${last} at ${JSON.stringify(ballot)}`
      if (what <= 1) {
        const after = below(2) === 0 ? undefined : names[below(3)]!
        const tokens = 1 + below(3)
        const [then, answer] = vote(ballot, { id, after, proposal: last, tokens })
        const reply = await ask(key, `v ${id} ${id} ${after ?? '-'} ${last} ${tokens} 60000 0 label with spaces`)
        expect(reply, trace).toEqual(answer.yes ? answer.last : [3, expect.any(Number), answer.owner])
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

it.each(['plain', 'general'])(
  'a release says whether nobody has had the key since, also where the ttl has ended: the %s way',
  async (way) => {
    const key = `late ${way}`
    const last = Number(await ask(key, 'v s.a s.a - 0 1 1 0 '))
    await new Promise((resolve) => setTimeout(resolve, 5))
    const release = (id: string) => {
      if (way === 'general') node.send('none', 'i')
      return ask(key, `f ${id}`)
    }
    expect([await release('s.b'), await release('s.a'), await release('s.a')]).toEqual([0, 1, 0])
    expect(await ask(key, 'v s.b s.b - 0 1 1000 0 ')).toBe(last + 1)
    expect(await release('s.a')).toBe(0)
  },
)

it('the node of the simulation does what the script does, with a queue and with notices', async () => {
  const seed = Number(process.env['HEADRACE_SEED'] ?? Date.now() % 1e9)
  const random = seededRandom(seed)
  const below = (bound: number) => randomBelow(random, bound)
  const own = freshPrefix()
  const twins = [client, simulatedNode(systemClock).client(0)].map((one) => {
    const notices: string[] = []
    const twin = quorumNode({
      ...{ client: one, clock: systemClock, prefix: own, session: 's', nodeMs: 5_000, tokenKeepMs: epochMs },
      ...{ terms: '60000 1', heard: (notice: string) => notices.push(notice), trouble() {} },
    })
    const tell = (key: string, operation: string) =>
      new Promise<unknown>((resolve) => twin.send(key, operation, (reply) => resolve('value' in reply && reply.value)))
    return { twin, notices, tell }
  })
  // Times, and tokens that are made of times, differ.
  const alike = (reply: unknown, exactMax: number) =>
    JSON.stringify(reply, (_, value) => (typeof value === 'number' && value > exactMax ? 'large' : value))
  const both = async (key: string, operation: string) => {
    const [real, simulated] = await Promise.all(twins.map(({ tell }) => tell(key, operation)))
    return [real, simulated].map((reply) => alike(reply, operation === 'i' ? -1 : 999))
  }
  await both('', 'p')
  await new Promise((resolve) => setTimeout(resolve, 5))
  for (const { twin, tell } of twins) {
    await twin.listen()
    const [, , , , , since] = (await tell('', 'p')) as number[]
    expect(await tell('', `a 41 0 ${since}`)).toBe(1)
  }
  // Nobody hears of what those of session t are told.
  const names = ['s.a', 's.b', 's.c', 't.d']
  for (let step = 0; step < 1_200; step++) {
    const key = `k${below(3)}`
    const id = names[below(4)]!
    const other = below(2) === 0 ? '-' : names[below(4)]
    const last = 40 + below(30)
    const wait = below(2) * 60_000
    const operations = [
      `v ${id} ${wait > 0 ? `${id}~1` : '-'} ${other} ${last} ${1 + below(3)} 60000 ${wait} its label`,
      `f ${id}${['', '', ` ${other}`, ' ^'][below(4)]}`,
      `f ${id}~1`,
      `r ${id} ${last}`,
      `k ${id}~1 60000`,
      `j ${id} ${last} 1 60000 its label`,
      'i',
    ]
    const operation = operations[below(operations.length)]!
    const [real, simulated] = await both(key, operation)
    expect(simulated, `seed ${seed}, step ${step}: ${operation} of ${key}`).toBe(real)
  }
  await expect.poll(() => twins[0]!.notices.length).toBe(twins[1]!.notices.length)
  const [real, simulated] = twins.map(({ notices }) => notices.map((notice) => notice.replaceAll(/ \d{3,}/g, ' large')))
  expect(simulated).toEqual(real)
  expect(real!.length).toBeGreaterThan(3)
  for (const { twin } of twins) await twin.close()
})

it('counters outlive their keys: the floor follows what was given out two epochs ago, at once where the clock has jumped', async () => {
  const marker = async () => /^r(\d+) (\d+) (\d+) (\d+) (\S+)$/.exec((await client.get(`${prefix}:node`))!)!.slice(1)
  await ask('old', 'v s.a s.a - 1000 1 1000 0 ')
  const [epoch, , , , run] = await marker()
  const rewrite = (at: number) => client.set(`${prefix}:node`, `r${at} 1000 41 500 ${run}`)
  await rewrite(Number(epoch) - 1)
  await ask('k', 'v s.none s.none - 0 1 1000 0 ')
  expect([...(await marker())].toSpliced(1, 1)).toEqual([epoch, '500', '1000', run])
  for (const jump of [-2, 1, 5]) {
    await rewrite(Number(epoch) + jump)
    expect(await ask(`new ${jump}`, 'v s.a s.a - 0 1 1000 0 ')).toBe(1001)
  }
})

it('the node knows at any time a number that none of its tokens is above, and need not write it with each of them', async () => {
  const highOf = async () => Number(/^r\d+ (\d+) /.exec((await client.get(`${prefix}:node`))!)![1])
  const highs = new Set<number>()
  const begin = (await highOf()) + 1
  for (let token = begin; token < begin + 50; token++) {
    expect(await ask(`high ${token}`, `v s.a s.a - ${token} 1 1000 0 `)).toBe(token)
    highs.add(await highOf())
    expect(await highOf()).toBeGreaterThanOrEqual(token)
  }
  expect(highs.size).toBe(1)
})

it('the first call after a restart finds it out, whatever it asks for, although the data are there', async () => {
  for (const operation of ['f s.none', 'k s.none 1000', 'v s.a s.a - 0 1 1000 0 ']) {
    const own = freshPrefix()
    const other = open(1, own)
    const tell = (what: string) =>
      new Promise<unknown>((resolve) => other.send('k', what, (reply) => resolve('value' in reply && reply.value)))
    const since = ((await tell('p')) as number[])[5]
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await tell(`a 41 0 ${since}`)).toBe(1)
    const marker = (await client.get(`${own}:node`))!
    // What is restored after a restart is what another run has written.
    await client.set(`${own}:node`, marker.replace(/\S+$/, '0123456789abcdef'))
    await client.script('FLUSH')
    await tell(operation)
    expect(await tell('v s.b s.b - 0 1 1000 0 '), operation).toEqual([4, expect.any(Number), 0])
  }
})

it('a proposal from a clock that is far ahead does not use up the tokens', async () => {
  const last = await ask('ahead', `v s.a s.a - ${Number.MAX_SAFE_INTEGER} 1 1000 0 `)
  expect(last).toBeLessThan((Date.now() + 2 * 86_400_000) * 1_000)
})

it('a value that is no lock is an error of its own request only', async () => {
  await client.set(`${prefix}:{foreign}`, 'something else')
  await client.lpush(`${prefix}:{list}`, 'x')
  for (const key of ['foreign', 'list']) await expect(ask(key, 'v s.a s.a - 0 1 1000 0 ')).rejects.toThrow('WRONGTYPE')
  expect(await ask('fine', 'v s.a s.a - 0 1 1000 0 ')).toEqual(expect.any(Number))
})

it('a key outlives its queue, however long somebody wants to wait', async () => {
  for (const wait of [1_000, 2 * epochMs - 500, 10 * epochMs]) {
    const key = `patient ${wait}`
    await ask(key, 'v s.a s.a - 0 1 1000 0 ')
    await ask(key, `v t.b t.b~1 - 0 1 1000 ${wait} `)
    await ask(key, 'k s.a 1000')
    const [value, queue, records] = await Promise.all(
      ['', ':q', ':i'].map((part) => client.pttl(`${prefix}:{${key}}${part}`)),
    )
    expect(queue).toBeGreaterThan(0)
    expect(Math.abs(queue! - records!)).toBeLessThan(500)
    expect(value).toBeGreaterThan(queue! + 500)
  }
})

it('every key but the marker ends by itself', async () => {
  await ask('idle', 'v s.a s.a - 0 1 1000 0 ')
  await ask('idle', 'v t.b t.b - 0 1 1000 5000 ')
  await ask('idle', 'f s.a')
  const names = await client.keys(`${prefix}:*idle*`)
  expect(names.length).toBeGreaterThan(0)
  for (const name of names) expect(await client.pttl(name), name).toBeGreaterThan(0)
})
