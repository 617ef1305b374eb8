import { manualClock } from '@headrace/core/testing'
import type { AcquireRequest, Held, LockSession } from '@headrace/lock'
import { createLocks } from '@headrace/lock'
import { type Ioredis, redisLocks } from '@headrace/lock/redis'
import { expect, it } from 'vitest'

const session = 'a'.repeat(32)
const request: AcquireRequest = { key: 'k', id: `${session}.1`, ttlMs: 10_000, waitMs: 5_000, tokens: 1 }
const serverMs = 1_800_000_000_000
const queued = [serverMs, 2, 10_000, 0]
const grant = (id: string) => `g ${id} ${serverMs}000 1 ${serverMs} 1000`

/** A client whose replies come from the test; `push` is a message on its second connection. */
function fakeClient() {
  const calls: { args: (string | number)[]; reply: PromiseWithResolvers<unknown> }[] = []
  let push: (message: string) => void = () => {}
  const subscriber = {
    on(event: string, listener: (channel: string, message: string) => void) {
      if (event === 'message') push = (message) => listener('', message)
    },
    subscribe: async () => 1,
    disconnect() {},
  }
  const client: Ioredis = {
    evalsha(_sha, _keys, ...args) {
      const reply = Promise.withResolvers<unknown>()
      calls.push({ args, reply })
      return reply.promise
    },
    eval: () => Promise.reject(new Error('not known to this test')),
    duplicate: () => subscriber,
  }
  return { client, calls, push: (message: string) => push(message) }
}

function open() {
  const { client, calls, push } = fakeClient()
  const clock = manualClock()
  const grants: Held[] = []
  const nothing = () => {}
  const remote: LockSession = redisLocks(client).open({
    clock,
    session,
    granted: (_, held) => grants.push(held),
    lost: nothing,
    asked: nothing,
    missed: nothing,
  })
  return { clock, remote, calls, push, grants }
}

/** The session is old: its first request was long before the one that counts. */
async function openOld() {
  const opened = open()
  await opened.clock.advance(1_000)
  const beganMs = opened.clock.nowMs()
  const early = opened.remote.acquire([{ ...request, id: `${session}.0` }])
  await opened.clock.advance(0)
  opened.calls.shift()!.reply.resolve([serverMs, 1, 7, 0])
  await early
  await opened.clock.advance(60_000)
  return { ...opened, beganMs }
}

it('a grant that overtakes the reply to its own request counts from when that was sent', async () => {
  const { clock, remote, calls, push, grants } = await openOld()
  const askedMs = clock.nowMs()
  const answer = remote.acquire([request])
  await clock.advance(20)
  push(grant(request.id))
  expect(grants).toMatchObject([{ ttlMs: 1_000, sinceMs: askedMs }])
  calls.shift()!.reply.resolve(queued)
  await answer
})

it('a waiter whose grant overtakes the reply keeps its place and has the key', async () => {
  const { client, calls, push } = fakeClient()
  const clock = manualClock()
  await clock.advance(1_000)
  const locks = createLocks(redisLocks(client), { clock })
  const early = locks.tryAcquire('early')
  await clock.advance(0)
  calls.shift()!.reply.resolve([serverMs, 3, 0, 0])
  await early
  await clock.advance(60_000)
  const waiting = locks.acquire('k')
  await clock.advance(1)
  const { args, reply } = calls.shift()!
  push(grant(`${args.at(-1)}`))
  reply.resolve(queued)
  expect((await waiting).held).toBe(true)
  expect(calls).toEqual([])
})

it('a grant after the reply counts from its own moment, as far as the clocks can differ', async () => {
  const { clock, remote, calls, push, grants } = await openOld()
  const askedMs = clock.nowMs()
  const answer = remote.acquire([request])
  await clock.advance(20)
  calls.shift()!.reply.resolve(queued)
  await answer
  await clock.advance(3_000)
  push(`g ${request.id} ${serverMs + 2_000}000 1 ${serverMs + 2_000} 1000`)
  expect(grants).toMatchObject([{ sinceMs: askedMs + 2_000 * 0.999 - 1 }])
})

it('a grant of which it is not known when it was asked for counts from the first request of all', async () => {
  const { clock, remote, calls, push, grants, beganMs } = await openOld()
  const failing = remote.acquire([request])
  await clock.advance(0)
  calls.shift()!.reply.reject(new Error('no connection'))
  await expect(failing).rejects.toThrow('no connection')
  push(grant(request.id))
  expect(grants).toMatchObject([{ sinceMs: beganMs }])
})

it('requests that are not alike go in different calls, and the failure of one hides nothing of the others', async () => {
  const { clock, remote, calls } = await openOld()
  const answers = remote.acquire([
    request,
    { ...request, key: 'l', id: `${session}.2` },
    { ...request, key: 'm', id: `${session}.33` },
    { ...request, key: 'n', id: `${session}.44`, label: 'of another' },
  ])
  await clock.advance(0)
  expect(calls).toHaveLength(3)
  calls[0]!.reply.resolve(7)
  calls[1]!.reply.reject(new Error('no connection'))
  calls[2]!.reply.resolve([serverMs, 2, 10_000, 0])
  expect(await answers).toMatchObject([
    { state: 'held', token: 7n, tokens: 1 },
    { state: 'held', token: 7n, tokens: 1 },
    { state: 'failed' },
    { state: 'queued', leftMs: 10_000 },
  ])
})

it('a release that the server answers for all at once is confirmed for each', async () => {
  const { clock, remote, calls } = await openOld()
  const released = remote.release([request, { key: 'l', id: `${session}.2` }])
  await clock.advance(0)
  expect(calls[0]!.args.at(-1)).toBe(`${session}.1${session}.2`)
  calls[0]!.reply.resolve(1)
  expect(await released).toEqual([true, true])
})
