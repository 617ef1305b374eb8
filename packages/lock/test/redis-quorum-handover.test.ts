import { expect, it } from 'vitest'
import { simulatedQuorum } from './quorum-setup.ts'

const nameOf = (key: string) => `headrace:quorum:{${key}}`

/** Two sessions, the first of which has waited for the key and holds it; the other one waits. */
async function line(signal?: AbortSignal) {
  const quorum = await simulatedQuorum(3)
  const { session, settled, clock } = quorum
  const [before, one, two] = [session(), session(), session()]
  const { value: earlier } = await settled(before.acquire('k'))
  const first = one.acquire('k')
  await clock.advance(50)
  const second = two.acquire('k', { waitMs: 30_000, ...(signal && { signal }) })
  await clock.advance(50)
  await settled(earlier!.release())
  const { value: lease } = await settled(first)
  await clock.advance(50)
  return { ...quorum, one, lease: lease!, second }
}

it('in strict order, a contended key costs four calls for each acquisition, and a little more', async () => {
  const { clock, nodes, session, settled } = await simulatedQuorum(3)
  const all = [1, 2, 3, 4].map(() => session(undefined, { handoverMax: 0, waitMs: 60_000 }))
  const tokens: bigint[] = []
  const counts = new Map<number, number>()
  let running = true
  const contend = async (own: number) => {
    while (running) {
      const lease = await all[own % 4]!.acquire('k')
      tokens.push(lease.token)
      counts.set(own, (counts.get(own) ?? 0) + 1)
      await clock.sleep(1)
      await lease.release()
    }
  }
  const calls = () => nodes.reduce((sum, node) => sum + node.calls, 0)
  const contenders = Array.from({ length: 32 }, (_, own) => contend(own))
  await clock.advance(200)
  const before = { calls: calls(), tokens: tokens.length }
  await clock.advance(2_000)
  expect((calls() - before.calls) / (tokens.length - before.tokens)).toBeLessThan(5)
  expect(tokens).toEqual(tokens.toSorted((a, b) => (a < b ? -1 : 1)))
  expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1)
  running = false
  await settled(Promise.all(contenders))
})

it('who releases needs the word of the node with the queue only, where that has called the next', async () => {
  const { clock, nodes, settled, lease, second } = await line()
  for (const at of [1, 2]) nodes[at]!.pause()
  const beganMs = clock.nowMs()
  const { value, atMs } = await settled(lease.release())
  expect([value, atMs - beganMs]).toEqual([true, 2])
  for (const at of [1, 2]) nodes[at]!.resume()
  expect((await settled(second)).value!.token).toBeGreaterThan(lease.token)
})

it('who releases when that node hangs need not wait for it', async () => {
  const { clock, nodes, settled, lease, second } = await line()
  nodes[0]!.pause()
  const beganMs = clock.nowMs()
  const { value, atMs } = await settled(lease.release())
  expect(value).toBe(true)
  expect(atMs - beganMs).toBeLessThan(25)
  expect((await settled(second)).value!.token).toBeGreaterThan(lease.token)
})

it('who is called takes over the nodes that its predecessor has not told yet', async () => {
  const { clock, nodes, settled, lease, second } = await line()
  const frees = () => nodes.slice(1).flatMap(({ done }) => done.filter((one) => one.startsWith('f'))).length
  const before = frees()
  const owner = nodes[1]!.ownerOf(nameOf('k'))
  await settled(lease.release())
  await settled(second)
  await clock.advance(2)
  expect(frees()).toBe(before)
  const owners = nodes.map((node) => node.ownerOf(nameOf('k')))
  expect(new Set(owners).size).toBe(1)
  expect(owners[0]).not.toBe(owner)
  // They hear of it all the same, for the case that nobody had been left to take over.
  await clock.advance(30)
  expect(frees()).toBeGreaterThanOrEqual(before + 2)
})

it.each([0, 1, 2, 3])(
  'who leaves %i ms after the release that calls it costs the next ones no time and no place',
  async (ms) => {
    const leaving = new AbortController()
    const { clock, session, settled, lease, second } = await line(leaving.signal)
    const gone = second.catch(() => undefined)
    const [third, fourth] = [session().acquire('k'), session()]
    await clock.advance(50)
    const last = fourth.acquire('k')
    await clock.advance(50)
    const released = lease.release()
    await clock.advance(ms)
    leaving.abort()
    const leftMs = clock.nowMs()
    const { value: next, atMs } = await settled(third)
    expect(atMs - leftMs).toBeLessThanOrEqual(6)
    await settled(next!.release())
    expect((await settled(last)).value!.token).toBeGreaterThan(next!.token)
    await settled(Promise.all([gone, released]))
  },
)

it('a node that is late with the vote of the holder hears of the release at once', async () => {
  const { clock, nodes, session, settled } = await simulatedQuorum(3)
  const far = session((at) => (at === 1 ? 40 : 1))
  const [near, other] = [session(), session()]
  const held = await settled(near.acquire('k'))
  const mine = far.acquire('k')
  await clock.advance(100)
  const next = other.acquire('k')
  await clock.advance(100)
  await settled(held.value!.release())
  const { value: lease } = await settled(mine)
  const id = nodes[0]!.ownerOf(nameOf('k'))!
  // Its vote is still on the way to node 1.
  expect(nodes[1]!.ownerOf(nameOf('k'))).not.toBe(id)
  await settled(lease!.release())
  await settled(next)
  await clock.advance(40)
  expect(nodes[1]!.done.filter((one) => one === `f ${id}`)).toHaveLength(1)
  expect(nodes[1]!.ownerOf(nameOf('k'))).not.toBe(id)
})

it('where nobody was waiting any more, the other nodes hear of the release as soon as that is known', async () => {
  const { clock, nodes, session, settled, lease, second } = await line()
  await settled(lease.release())
  const { value: last } = await settled(second)
  await clock.advance(30)
  const beganMs = clock.nowMs()
  const { value, atMs } = await settled(last!.release())
  expect([value, atMs - beganMs]).toEqual([true, 4])
  for (const node of nodes) expect(node.ownerOf(nameOf('k'))).toBeUndefined()
  expect((await settled(session().tryAcquire('k'))).value).not.toBeNull()
})

it('a session that closes tells the other nodes before it goes', async () => {
  const { clock, nodes, settled, one, lease, second } = await line()
  const frees = () => nodes[1]!.done.filter((done) => done.startsWith('f')).length
  const before = frees()
  await settled(lease.release())
  await settled(one.close())
  await clock.advance(2)
  expect(frees()).toBe(before + 1)
  await settled(second)
})

it('an id that is used again for another key stands for that key alone', async () => {
  const { clock, nodes, driver, settled } = await simulatedQuorum(3)
  const session = driver().open({ clock, session: '0'.repeat(32), granted() {}, lost() {}, asked() {}, missed() {} })
  const request = { id: `${'0'.repeat(32)}.1`, ttlMs: 1_000, waitMs: 0, tokens: 1 }
  for (const key of ['k1', 'k2']) {
    const { value } = await settled(session.acquire([{ ...request, key }]))
    expect(value![0]!.state).toBe('held')
    expect(nodes[0]!.ownerOf(nameOf(key))).toBe(request.id)
  }
  expect((await settled(session.renew([{ ...request, key: 'k1' }]))).value![0]!.state).toBe('gone')
  expect((await settled(session.release([{ ...request, key: 'k2' }]))).value).toEqual([true])
})

it('a release after the ttl has ended says so, also where nobody else has the key', async () => {
  const { clock, nodes, driver, settled } = await simulatedQuorum(3)
  const session = driver().open({ clock, session: '0'.repeat(32), granted() {}, lost() {}, asked() {}, missed() {} })
  const id = `${'0'.repeat(32)}.1`
  const request = { key: 'k', id, ttlMs: 1_000, waitMs: 0, tokens: 1 }
  const { value } = await settled(session.acquire([request]))
  expect(value![0]!.state).toBe('held')
  await clock.advance(1_000)
  expect((await settled(session.release([request]))).value).toEqual([false])
  expect((await settled(session.acquire([{ ...request, id: `${id}2` }]))).value![0]!.state).toBe('held')
  expect(nodes).toHaveLength(3)
})
