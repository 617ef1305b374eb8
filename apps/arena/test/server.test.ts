import { type ManualClock, manualClock } from '@headrace/core/testing'
import { memoryLocks } from '@headrace/lock/memory'
import type { WriterEvent } from '@headrace/writer'
import { sqliteStore } from '@headrace/writer/sqlite'
import { describe, expect, test } from 'vitest'
import { createDirectory, type Directory } from '../src/directory.ts'
import { createGameServer, type Order } from '../src/server.ts'
import { tempFolder } from './temp-folder.ts'

function hit(id: string, power: number): Order {
  return { id, room: 'room-1', command: { type: 'hit', power } }
}

function fleet(path: string) {
  const store = sqliteStore(path)
  const clock = manualClock()
  const directory = createDirectory({ lookMs: 250, clock })
  const lockService = memoryLocks({ clock })
  const events: (WriterEvent & { server: string })[] = []
  const server = (id: string) =>
    createGameServer(id, {
      ...{ store, lockService, directory, clock, tickMs: 50, leaseMs: 1_000 },
      observe: (_, event) => events.push({ ...event, server: id }),
    })
  return { clock, directory, events, server }
}

async function lookAtAll(directory: Directory, clock: ManualClock, ms: number): Promise<void> {
  const stop = new AbortController()
  const looking = (async () => {
    for await (const _ of directory.watch(stop.signal));
  })().catch(() => {})
  await clock.advance(ms)
  stop.abort()
  await looking
}

describe('a game server', () => {
  test('applies what came in a tick in order, when the tick comes, in one commit', async () => {
    using folder = tempFolder()
    const { clock, server, events } = fleet(folder.file('a.db'))
    const one = server('one')
    const answers = [1, 2, 3].map((power) => one.submit('s', hit(`id-${power}`, power)))
    await clock.advance(49)
    expect(events).toEqual([])
    await clock.advance(1)
    const receipts = await Promise.all(answers)
    expect(receipts.map(({ sequence, result }) => [sequence, 'dealt' in result && result.dealt])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ])
    expect(events.filter(({ type }) => type === 'committed')).toMatchObject([{ writes: 3 }])
    expect(one.stats()).toMatchObject({ ticksOnTime: 1, ticksLate: 0 })
    await one.close()
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  test('loses its shard when it is suspended past its lease, and its late writes are refused as stale', async () => {
    using folder = tempFolder()
    const { clock, server, events } = fleet(folder.file('a.db'))
    const [one, two] = [server('one'), server('two')]
    const before = one.submit('s', hit('id-1', 1))
    await clock.advance(50)
    await before
    one.suspend()
    const late = one.submit('s', hit('id-2', 2))
    const refused = expect(late).rejects.toMatchObject({ code: 'STALE' })
    const again = two.submit('s', hit('id-2', 2))
    const after = two.submit('s', hit('id-3', 3))
    await clock.advance(500)
    expect(events.filter(({ type }) => type === 'owned')).toHaveLength(1)
    await clock.advance(700)
    expect(await again).toMatchObject({ sequence: 2, replayed: false })
    expect(await after).toMatchObject({ sequence: 3 })

    one.resume()
    await clock.advance(50)
    await refused
    expect(one.stats().stale).toBe(1)
    const tokens = events.flatMap((event) => (event.type === 'owned' ? [event.token] : []))
    expect(tokens[1]).toBeGreaterThan(tokens[0]!)
    await Promise.all([one.close(), two.close()])
  })

  test('stops when the directory has struck it off', async () => {
    using folder = tempFolder()
    const { clock, directory, server } = fleet(folder.file('a.db'))
    const one = server('one')
    one.suspend()
    await lookAtAll(directory, clock, 1_500)
    one.resume()
    await clock.advance(50)
    await expect(one.submit('s', hit('id-1', 1))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await one.close()
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  test('refuses at once what its inbox cannot hold, and answers what is in it when it closes', async () => {
    using folder = tempFolder()
    const { server } = fleet(folder.file('a.db'))
    const one = server('one')
    const held = Array.from({ length: 10_000 }, (_, index) => one.submit('s', hit(`id-${index}`, 1)))
    const settled = Promise.allSettled(held)
    await expect(one.submit('s', hit('one-more', 1))).rejects.toMatchObject({ code: 'BUSY', retryAfterMs: 50 })
    await one.close()
    for (const answer of await settled) expect(answer).toMatchObject({ reason: { code: 'UNAVAILABLE' } })
    await expect(one.submit('s', hit('late', 1))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
