import { manualClock } from '@headrace/core/testing'
import { createLocks } from '@headrace/lock'
import { lockConformance } from '@headrace/lock/conformance'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import { afterEach, describe, expect, it } from 'vitest'
import { simulatedNode } from './quorum-nodes.ts'
import { simulatedQuorum, ttlMaxMs } from './quorum-setup.ts'

describe('the rules of every driver, on three nodes in virtual time', () => {
  let running = false
  afterEach(() => {
    running = false
  })
  lockConformance({
    test: it,
    supports: redisQuorumLocks([simulatedNode(manualClock()).client()]).supports,
    create() {
      const clock = manualClock()
      const nodes = [1, 2, 3].map(() => simulatedNode(clock))
      const driver = () =>
        redisQuorumLocks(
          nodes.map((node) => node.client()),
          { ttlMaxMs: 60_000, claimMs: 10_000 },
        )
      // Time goes on while a rule waits for an answer.
      running = true
      const flow = async () => {
        while (running) await clock.advance(1)
      }
      void flow()
      return {
        subject: {
          ...{ driver: driver(), peer: driver(), clock, ttlMs: 3_000 },
          async elapse(ms: number) {
            for (const endMs = clock.nowMs() + ms; clock.nowMs() < endMs; ) await clock.settle()
          },
        },
      }
    },
  })
})

describe('a new service', () => {
  it('many sessions ask at once, and answers are slow: all of them wait until the nodes are admitted', async () => {
    for (const latencyMs of [1, 20, 60, 150]) {
      const { session, settled, clock } = await simulatedQuorum(3, { isNew: true, seed: latencyMs })
      const sessions = [1, 2].map(() => session((at) => latencyMs + at))
      const beganMs = clock.nowMs()
      const tries = Array.from({ length: 40 }, (_, n) => sessions[n % 2]!.tryAcquire(`k ${n % 4}`))
      const { value, error, atMs } = await settled(Promise.all(tries))
      expect(error, `${latencyMs} ms`).toBeUndefined()
      expect(value!.filter((lease) => lease !== null)).toHaveLength(4)
      // A vote, two reports, the admission, and votes again; the script is sent as text the first time.
      expect(atMs - beganMs).toBeLessThan(2 * latencyMs * 9 + 250)
    }
  })

  it('one node stops for a while after its first answer: those who ask wait for it, as it takes all to know that all are new', async () => {
    const { nodes, session, settled, clock } = await simulatedQuorum(3, { isNew: true })
    const sessions = [session(), session()]
    const tries = settled(Promise.all(Array.from({ length: 40 }, (_, n) => sessions[n % 2]!.tryAcquire('k'))))
    while (nodes.some(({ done }) => done.length === 0)) await clock.advance(1)
    nodes[2]!.pause()
    void clock.sleep(300).then(() => nodes[2]!.resume())
    const { value, error } = await tries
    expect(error).toBeUndefined()
    expect(value!.filter((lease) => lease !== null)).toHaveLength(1)
  })

  it('nodes that are too young do not vote, and the answer says so at once and for how long', async () => {
    const clock = manualClock()
    const nodes = [1, 2, 3].map(() => simulatedNode(clock, { ageMs: 2_000 }))
    const locks = createLocks(
      redisQuorumLocks(
        nodes.map((node) => node.client()),
        { ttlMaxMs },
      ),
      { clock },
    )
    const asked = locks.tryAcquire('k').catch((error: unknown) => error)
    await clock.advance(50)
    expect(await asked).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) })
    await clock.advance(ttlMaxMs - 2_000)
    const granted = locks.tryAcquire('k')
    await clock.advance(50)
    expect(await granted).not.toBeNull()
  })

  it('where one node is missing the answer says so as soon as that is sure: an old service could have lost the other two', async () => {
    const { nodes, session, settled, clock } = await simulatedQuorum(3, { isNew: true })
    nodes[1]!.pause()
    const beganMs = clock.nowMs()
    const { error, atMs } = await settled(session().tryAcquire('k'))
    expect(error).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: ttlMaxMs })
    expect(atMs - beganMs).toBeLessThan(550)
  })

  it.each([1, 2])('nodes that are emptied after report %i, before they are admitted, stay out', async (report) => {
    const { nodes, session, settled, clock } = await simulatedQuorum(3, { isNew: true })
    const asked = settled(session(() => 100, { callMs: 10_000 }).tryAcquire('k'))
    const reports = (at: number) => nodes[at]!.done.filter((one) => one.startsWith('p')).length
    while (reports(2) < report) await clock.settle()
    nodes[1]!.flush()
    nodes[2]!.flush()
    expect((await asked).error).toMatchObject({ code: 'UNAVAILABLE' })
  })
})
