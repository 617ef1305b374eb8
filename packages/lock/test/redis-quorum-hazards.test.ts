import { isHeadraceError } from '@headrace/core'
import type { Lease } from '@headrace/lock'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import { describe, expect, it } from 'vitest'
import { simulatedQuorum } from './quorum-setup.ts'

/** As many as are `down` of so many nodes. */
const minorities = [
  [3, 1],
  [5, 2],
  [7, 3],
] as const
const roundTripMs = 2

describe('split vote: those who share the votes of a free key settle it in a few rounds', () => {
  const sizes = [3, 5, 7].flatMap((nodes) => [3, 8, 32].map((contenders) => [nodes, contenders] as const))

  it.each(sizes)('%i nodes, %i contenders who wait', async (size, contenders) => {
    const { session, settled, nodes, count } = await simulatedQuorum(size)
    // Each is nearest to another node, whose vote it gets.
    const all = Array.from({ length: contenders }, (_, near) => session((at) => (at === near % size ? 1 : 5)))
    const before = count('v ')
    const tokens: bigint[] = []
    let votesUntilFirst = 0
    const waits = all.map(async (locks) => {
      const lease = await locks.acquire('k', { waitMs: 30_000 })
      votesUntilFirst ||= count('v ') - before
      tokens.push(lease.token)
      await lease.release()
    })
    await settled(Promise.all(waits))
    expect(tokens).toHaveLength(contenders)
    expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)))
    // Everybody asks all nodes once, and those who are refused go into the queue; then one goes on alone.
    expect(votesUntilFirst / (size * contenders)).toBeLessThan(3)
    const free = await settled(all[0]!.tryAcquire('k'))
    expect(free.value?.token).toBeGreaterThan(tokens.at(-1)!)
    expect(nodes.every((node) => node.done.length < 20 * contenders)).toBe(true)
  })

  it.each(sizes)('%i nodes, %i contenders who try: one of them gets it', async (size, contenders) => {
    const { session, settled } = await simulatedQuorum(size)
    const all = Array.from({ length: contenders }, (_, near) => session((at) => (at === near % size ? 1 : 5)))
    const { value } = await settled(Promise.all(all.map((locks) => locks.tryAcquire('k'))))
    expect(value!.filter((lease) => lease !== null)).toHaveLength(1)
  })
})

describe('minority down', () => {
  it.each(minorities)('of %i nodes %i: nobody is delayed', async (size, down) => {
    const { clock, nodes, session, settled } = await simulatedQuorum(size)
    const locks = session()
    for (const node of nodes.slice(-down)) node.pause()
    const beganMs = clock.nowMs()
    const { value: lease, atMs } = await settled(locks.acquire('k'))
    expect(atMs - beganMs).toBe(roundTripMs)
    const released = await settled(lease!.release())
    expect([released.value, released.atMs - atMs]).toEqual([true, roundTripMs])
  })

  it.each(minorities)('of %i nodes %i, the one with the queue among them: a moment later', async (size, down) => {
    const { clock, nodes, session, settled } = await simulatedQuorum(size)
    for (const node of nodes.slice(0, down)) node.pause()
    const locks = session()
    const beganMs = clock.nowMs()
    const { value: lease, atMs } = await settled(locks.acquire('k'))
    expect(atMs - beganMs).toBeLessThan(15)
    expect((await settled(lease!.release())).value).toBe(true)
  })
})

describe('majority down', () => {
  it.each(minorities)('of %i nodes all but %i: UNAVAILABLE, soon, and nothing stays locked', async (size, up) => {
    const { clock, nodes, session, settled } = await simulatedQuorum(size)
    for (const node of nodes.slice(up)) node.pause()
    const locks = session(undefined, { callMs: 10_000 })
    for (const ask of [() => locks.acquire('k'), () => locks.tryAcquire('k')]) {
      const beganMs = clock.nowMs()
      const { error, atMs } = await settled<unknown>(ask())
      expect(isHeadraceError(error, 'UNAVAILABLE'), String(error)).toBe(true)
      expect(String(error)).toContain(`fewer than ${up + 1} of ${size} redis nodes`)
      expect(atMs - beganMs).toBeLessThanOrEqual(500 * (up + 1))
    }
    for (const node of nodes) node.resume()
    await clock.advance(100)
    for (const node of nodes) expect(node.ownerOf('headrace:quorum:{k}')).toBeUndefined()
    expect((await settled(session().tryAcquire('k'))).value).not.toBeNull()
  })
})

it('slow node: answers at a majority, while the slow one has done nothing yet', async () => {
  for (const slow of [1, 2]) {
    const { nodes, session, settled } = await simulatedQuorum(3)
    const locks = session((at) => (at === slow ? 400 : 1))
    const done = nodes[slow]!.done.length
    for (let n = 0; n < 5; n++) {
      const { value: lease } = await settled(locks.acquire('k'))
      expect((await settled(lease!.release())).value).toBe(true)
    }
    expect(nodes[slow]!.done).toHaveLength(done)
  }
})

describe('clocks: one node is an hour ahead, another an hour behind', () => {
  const hourMs = 3_600_000
  it.each([
    [hourMs, -hourMs, 0],
    [0, hourMs, -hourMs],
    [-hourMs, 0, hourMs],
  ])('%i, %i and %i ms', async (...offsets) => {
    const { clock, nodes, session, settled } = await simulatedQuorum(3)
    for (const [at, node] of nodes.entries()) node.offsetMs = offsets[at]!
    const [one, two] = [session(), session()]
    const { value: first } = await settled(one.acquire('k'))
    await clock.advance(10_000)
    expect(first!.held).toBe(true)
    expect((await settled(two.tryAcquire('k'))).value).toBeNull()
    const waiting = two.acquire('k')
    await clock.advance(1_000)
    await settled(first!.release())
    const { value: second } = await settled(waiting)
    expect(second!.token).toBeGreaterThan(first!.token)
    // What it trusts is counted from when the node called it, by that node's clock, and so at most its ttl.
    expect(second!.remainingMs).toBeGreaterThan(0)
    expect(second!.remainingMs).toBeLessThanOrEqual(3_000)
    await clock.advance(10_000)
    expect(second!.held).toBe(true)
    await settled(second!.release())
    const { value: third } = await settled(one.acquire('k'))
    expect(third!.token).toBeGreaterThan(second!.token)
  })
})

it('different expiry: one node forgets the holder before the others, and it loses nothing', async () => {
  const { clock, nodes, session, settled } = await simulatedQuorum(3)
  const [one, two] = [session(), session()]
  const { value: lease } = await settled(one.acquire('k'))
  nodes[2]!.offsetMs = 3_100
  expect(nodes[2]!.ownerOf('headrace:quorum:{k}')).toBeUndefined()
  expect((await settled(two.tryAcquire('k'))).value).toBeNull()
  // The holder takes the node again with its next renewal, so the loss of another one does no harm either.
  await clock.advance(1_100)
  nodes[1]!.pause()
  await clock.advance(6_000)
  expect(lease!.held).toBe(true)
  expect((await settled(lease!.release())).value).toBe(true)
})

it('duplicated client: the same node twice is refused', async () => {
  const { nodes } = await simulatedQuorum(2)
  const [a, b] = nodes.map((node) => node.client())
  expect(() => redisQuorumLocks([a!, b!, a!])).toThrow('the same node twice is not two votes')
})

it('partial release: the key is free when the nodes are back, at the latest when its ttl has ended', async () => {
  const { clock, nodes, session, settled } = await simulatedQuorum(3)
  const [one, two] = [session(), session()]
  const { value: lease } = await settled(one.acquire('k'))
  for (const at of [0, 1]) nodes[at]!.pause()
  const { value: released } = await settled(lease!.release())
  expect(released).toBe(false)
  expect(nodes[2]!.ownerOf('headrace:quorum:{k}')).toBeUndefined()
  for (const at of [0, 1]) nodes[at]!.resume()
  const { value: next } = await settled(two.acquire('k'))
  expect(next!.token).toBeGreaterThan(lease!.token)

  // This time the one who releases is gone before the nodes are back.
  for (const at of [0, 1]) nodes[at]!.pause()
  await settled(next!.release())
  await settled(two.close())
  await clock.advance(3_000)
  for (const at of [0, 1]) nodes[at]!.resume()
  expect((await settled(session().tryAcquire('k'))).value).not.toBeNull()
})

it('extension that reaches a minority only: the lease is lost before its ttl has ended at any node', async () => {
  const { clock, nodes, session, settled } = await simulatedQuorum(3)
  const [one, two] = [session(), session(undefined, { waitMs: 60_000 })]
  const { value: lease } = await settled(one.acquire('k'))
  await clock.advance(1_500)
  for (const at of [1, 2]) nodes[at]!.pause()
  let stillOwned: number | undefined
  let next: Lease | undefined
  lease!.signal.addEventListener('abort', () => {
    stillOwned = nodes.filter((node) => node.ownerOf('headrace:quorum:{k}') !== undefined).length
    expect(next).toBeUndefined()
  })
  const waiting = two.acquire('k').then((found) => {
    next = found
  })
  await clock.advance(2_900)
  expect(lease!.held).toBe(false)
  expect(isHeadraceError(lease!.signal.reason, 'LOST')).toBe(true)
  expect(stillOwned).toBe(3)
  for (const at of [1, 2]) nodes[at]!.resume()
  await settled(waiting)
  expect(next!.token).toBeGreaterThan(lease!.token)
})
