import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '@headrace/core'
import type { AcquireRequest, Held, LockSession } from '@headrace/lock'
import { type Ioredis, redisLocks } from '@headrace/lock/redis'
import { serverUrl } from '@headrace/stack'
import { Redis } from 'ioredis'
import { afterAll, expect, it } from 'vitest'
import { freshPrefix } from './redis-setup.ts'

const clients: Redis[] = []
afterAll(() => {
  for (const client of clients) client.disconnect()
})

/** A process that neither renews nor hands on: what it does not release is what a dead one leaves. */
function openProcess(prefix: string, name: string, tokenKeepMs: number, stop: () => Promise<unknown> = async () => {}) {
  const redis = new Redis(serverUrl('redis'))
  clients.push(redis)
  /** Stops after each command: that has been done, and the process does not know it yet. */
  const stopped =
    <Args extends unknown[]>(command: (...args: Args) => Promise<unknown>) =>
    async (...args: Args) => {
      const reply = await command(...args)
      await stop()
      return reply
    }
  const client: Ioredis = {
    evalsha: stopped((sha, keys, ...rest) => redis.evalsha(sha, keys, ...rest)),
    eval: stopped((text, keys, ...rest) => redis.eval(text, keys, ...rest)),
    duplicate: () => redis.duplicate(),
  }
  const session = name.repeat(32)
  const turns = new Map<string, (held: Held) => void>()
  const nothing = () => {}
  const remote: LockSession = redisLocks(client, { prefix, tokenKeepMs }).open({
    clock: systemClock,
    session,
    granted: (id, held) => turns.get(id)?.(held),
    lost: nothing,
    asked: nothing,
    missed: nothing,
  })
  let ids = 0
  return {
    remote,
    request: (options: Partial<AcquireRequest> = {}): AcquireRequest => ({
      key: 'k',
      id: `${session}.${++ids}`,
      ttlMs: 30,
      waitMs: 0,
      tokens: 10_001,
      ...options,
    }),
    turn: (id: string) => new Promise<Held>((resolve) => turns.set(id, resolve)),
  }
}

const granted = async (remote: LockSession, request: AcquireRequest): Promise<Held> => {
  const [standing] = await remote.acquire([request])
  expect(standing).toMatchObject({ state: 'held' })
  return standing as Held
}
const newest = ({ token, tokens = 1 }: Held) => token + BigInt(tokens) - 1n

it.each([3_600_000, 1])(
  'tokens do not outrun the clock: they grow past a holder that died (kept for %i ms)',
  async (keepMs) => {
    const prefix = freshPrefix()
    const [a, b] = [openProcess(prefix, 'a', keepMs), openProcess(prefix, 'b', keepMs)]
    let last = 0n
    // As many tokens as the longest line may hand on, for so many leases that it would be seconds ahead.
    for (let turn = 0; turn < 300; turn++) {
      const request = a.request()
      const held = await granted(a.remote, request)
      expect(held.token).toBeGreaterThan(last)
      last = newest(held)
      if (turn < 299) await a.remote.release([request])
    }
    await sleep(60)
    expect((await granted(b.remote, b.request())).token).toBeGreaterThan(last)
  },
)

it('tokens of those who wait do not outrun the clock either', async () => {
  const prefix = freshPrefix()
  const [a, b] = [openProcess(prefix, 'a', 1), openProcess(prefix, 'b', 1)]
  let last = 0n
  let own = a.request({ ttlMs: 5_000 })
  await granted(a.remote, own)
  let [holds, waits] = [a, b]
  for (let turn = 0; turn < 300; turn++) {
    const next = waits.request({ ttlMs: 5_000, waitMs: 5_000 })
    const turnCame = waits.turn(next.id)
    expect((await waits.remote.acquire([next]))[0]).toMatchObject({ state: 'queued' })
    await holds.remote.release([own])
    const held = await turnCame
    expect(held.token).toBeGreaterThan(last)
    last = newest(held)
    own = next
    ;[holds, waits] = [waits, holds]
  }
  await holds.remote.release([own])
  const dying = await granted(a.remote, a.request())
  expect(dying.token).toBeGreaterThan(last)
  await sleep(60)
  expect((await granted(b.remote, b.request())).token).toBeGreaterThan(newest(dying))
})

it('h3: who is stopped in the middle of an acquisition has an older token than who came meanwhile', async () => {
  const prefix = freshPrefix()
  const woken = Promise.withResolvers<void>()
  const [slow, b] = [openProcess(prefix, 'a', 1, () => woken.promise), openProcess(prefix, 'b', 1)]
  const stale = granted(slow.remote, slow.request())
  // Longer than the ttl.
  await sleep(100)
  const live = await granted(b.remote, b.request())
  woken.resolve()
  expect((await stale).token).toBeLessThan(live.token)
})
