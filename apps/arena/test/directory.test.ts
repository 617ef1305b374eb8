import type { Clock } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, test } from 'vitest'
import { createDirectory, type Directory } from '../src/directory.ts'

function watched() {
  const clock = manualClock()
  const directory = createDirectory({ lookMs: 100, clock })
  const lists: string[] = []
  const stop = new AbortController()
  const watching = follow(directory, stop.signal, lists)
  const end = () => {
    stop.abort()
    return watching
  }
  return { clock, directory, lists, end }
}

async function follow(directory: Directory, signal: AbortSignal, lists: string[]): Promise<void> {
  try {
    for await (const { endpoints, state } of directory.watch(signal)) {
      lists.push(`${endpoints.map(({ address }) => address).join()} ${state}`)
    }
  } catch {
    // The end of the watch.
  }
}

describe('the directory of the servers', () => {
  test('lists who has a heartbeat, and tells of changes only', async () => {
    const { clock, directory, lists, end } = watched()
    directory.beat('a')
    await clock.advance(100)
    directory.beat('b')
    for (let look = 0; look < 9; look++) {
      directory.beat('a')
      directory.beat('b')
      await clock.advance(100)
    }
    expect(lists).toEqual(['a fresh', 'a,b fresh'])
    await end()
  })

  test('strikes off a server that was silent for five looks in a row, for ever', async () => {
    const { clock, directory, lists, end } = watched()
    directory.beat('a')
    await clock.advance(400)
    expect(lists.at(-1)).toBe('a fresh')
    await clock.advance(100)
    expect(lists.at(-1)).toBe(' confirmed-empty')
    expect(directory.beat('a')).toBe(false)
    await clock.advance(100)
    expect(lists.at(-1)).toBe(' confirmed-empty')
    await end()
  })

  test('strikes nobody off for a time in which it could not look itself', async () => {
    // The whole process stops for an hour at a time: each time the directory looks once, and then the server beats again.
    let wake = () => {}
    let hours = 0
    const clock: Clock = {
      ...manualClock(),
      nowMs: () => hours * 3_600_000,
      sleep: () => new Promise((resolve) => (wake = resolve)),
    }
    const directory = createDirectory({ lookMs: 100, clock })
    directory.beat('a')
    const looks = directory.watch(new AbortController().signal)[Symbol.asyncIterator]()
    await looks.next()
    const change = looks.next()
    for (; hours < 20; hours++) {
      await new Promise((resolve) => setImmediate(resolve))
      wake()
      await new Promise((resolve) => setImmediate(resolve))
      expect(directory.beat('a')).toBe(true)
    }
    expect(await Promise.race([change, Promise.resolve('no change')])).toBe('no change')
  })

  test('lets a server leave at once, and does not take it back', async () => {
    const { clock, directory, lists, end } = watched()
    directory.beat('a')
    directory.beat('b')
    await clock.advance(100)
    directory.leave('a')
    await clock.advance(100)
    expect(lists.at(-1)).toBe('b fresh')
    expect(directory.beat('a')).toBe(false)
    await end()
    expect(clock.pending).toBe(0)
  })
})
