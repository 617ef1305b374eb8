import { HeadraceError, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import type { Receipt } from '@headrace/writer'
import { describe, expect, test } from 'vitest'
import { play, type Sent } from '../src/bot.ts'
import type { Result } from '../src/room.ts'

function playing(seed: number, answer: (sent: Sent, times: number, again: boolean) => Result | Error) {
  const clock = manualClock()
  const end = new AbortController()
  const sent: Sent[] = []
  const asked: string[] = []
  const done = play('bot-1', 'room-1', {
    ask: async (order, again): Promise<Receipt<Result>> => {
      asked.push(order.id)
      const result = answer(order, asked.length, again)
      if (result instanceof Error) throw result
      return { id: order.id, key: order.room, sequence: asked.length, result, replayed: false }
    },
    sent: (order) => sent.push(order),
    random: seededRandom(seed),
    thinkMs: 50,
    clock,
    ended: end.signal,
  })
  return { clock, end, sent, asked, done }
}

// The seed of a raider that gives up easily; its first test says so.
const impatient = 3
const untouched: Result = { type: 'missed', boss: 'alive' }

async function firstCommands(seed: number): Promise<unknown[]> {
  const { clock, end, sent, done } = playing(seed, () => untouched)
  await clock.advance(2_000)
  end.abort()
  await done
  return sent.map(({ id, command }) => [id, command])
}

describe('a bot', () => {
  test('plays the same for the same seed and the same answers', async () => {
    const commands = await firstCommands(7)
    expect(commands.length).toBeGreaterThan(20)
    expect(await firstCommands(7)).toEqual(commands)
    expect(await firstCommands(8)).not.toEqual(commands)
  })

  test.each([
    ['UNAVAILABLE', new HeadraceError('UNAVAILABLE', 'down')],
    ['TIMEOUT', new HeadraceError('TIMEOUT', 'silent')],
    ['STALE', new HeadraceError('STALE', 'replaced')],
    ['BUSY', new HeadraceError('BUSY', 'full', { retryAfterMs: 10 })],
  ])('asks again under the same id after %s', async (_, error) => {
    const { clock, end, sent, asked, done } = playing(1, (_, times) => (times < 3 ? error : untouched))
    await clock.advance(2_000)
    end.abort()
    await done
    expect(asked.slice(0, 4)).toEqual(['bot-1/1', 'bot-1/1', 'bot-1/1', 'bot-1/2'])
    expect(sent[0]!.receipt).toMatchObject({ id: 'bot-1/1', sequence: 3 })
  })

  test('fails with what no repetition cures', async () => {
    const { clock, asked, done } = playing(1, () => new HeadraceError('REJECTED', 'no'))
    const failed = expect(done).rejects.toMatchObject({ code: 'REJECTED' })
    await clock.advance(1_000)
    await failed
    expect(asked).toEqual(['bot-1/1'])
  })

  test('gives up what it hears nothing of where it is impatient, and sends the next', async () => {
    const seen: boolean[] = []
    const { clock, end, sent, asked, done } = playing(impatient, (_, times, again) => {
      seen.push(again)
      return times === 1 ? new HeadraceError('TIMEOUT', 'silent') : untouched
    })
    await clock.advance(500)
    end.abort()
    await done
    expect(seen[0]).toBe(false)
    expect(asked.slice(0, 2)).toEqual(['bot-1/1', 'bot-1/2'])
    expect(sent[0]!.receipt).toBeUndefined()
    expect(sent[1]!.receipt).toBeDefined()
  })

  test('repeats what has not happened also where it is impatient', async () => {
    const { clock, end, asked, done } = playing(impatient, (_, times) =>
      times === 1 ? new HeadraceError('STALE', 'replaced') : untouched,
    )
    await clock.advance(500)
    end.abort()
    await done
    expect(asked.slice(0, 2)).toEqual(['bot-1/1', 'bot-1/1'])
  })

  test('loots a boss when it learns that it is dead, until the next one lives', async () => {
    const { clock, end, sent, done } = playing(1, (_, times) => {
      if (times === 1) return { type: 'hit', dealt: 5, absorbed: 0, health: 0 }
      return times === 2 ? { type: 'looted', item: 'boss-1/item-1' } : untouched
    })
    await clock.advance(400)
    end.abort()
    await done
    expect(sent.slice(0, 4).map(({ command }) => command.type)).toEqual(['hit', 'loot', 'loot', 'hit'])
  })

  test('leaves the last command without a receipt when the fight ends before its answer', async () => {
    const { clock, end, sent, done } = playing(1, () => new HeadraceError('UNAVAILABLE', 'down'))
    await clock.advance(500)
    end.abort()
    await done
    expect(sent).toHaveLength(1)
    expect(sent[0]!.receipt).toBeUndefined()
    expect(clock.pending).toBe(0)
  })
})
