import { HeadraceError } from '@headrace/core'
import { createWriter } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { describe, expect, it } from 'vitest'
import { sell, setup } from './subject.ts'

const one = { quantity: 1 }
describe('arguments', () => {
  it.each([
    ['key', () => ['', one, {}]],
    ['key', () => ['k'.repeat(513), one, {}]],
    ['key', () => [7, one, {}]],
    ['id', () => ['a', one, { id: '' }]],
    ['deadlineMs', () => ['a', one, { deadlineMs: 0 }]],
    ['deadlineMs', () => ['a', one, { deadlineMs: Number.NaN }]],
    ['command', () => ['a', undefined, {}]],
    ['command', () => ['a', new Date(0), {}]],
    ['command', () => ['a', { quantity: 1n }, {}]],
    ['command', () => ['a', { z: 1, a: new Map() }, {}]],
    ['command', () => ['a', { quantity: Number.NaN }, {}]],
    ['command', () => ['a', [() => 1], {}]],
    ['command', () => ['a', cyclic(), {}]],
  ])('%s out of range is named in a rejection', async (name, args) => {
    const { writer } = setup({})
    const write = writer.write as (...args: unknown[]) => Promise<unknown>
    const error = await write(...args()).catch((thrown: unknown) => thrown)
    expect(error).not.toBeInstanceOf(HeadraceError)
    expect((error as Error).message).toMatch(new RegExp(`^${name} `))
    expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
  })

  it.each([
    ['name', { name: '1st' }],
    ['name', { name: 'a'.repeat(49) }],
    ['initial', { initial: 7 }],
    ['decide', { decide: undefined }],
    ['store.open', { store: {} }],
    ['locks.acquire', { locks: {} }],
    ['queue.publish', { queue: {} }],
    ['partitions', { partitions: 4_097 }],
    ['partitions', { partitions: 0 }],
    ['waitingMax', { waitingMax: 0 }],
    ['waitingLengthMax', { waitingLengthMax: 0 }],
    ['commandLengthMax', { commandLengthMax: 1.5 }],
    ['batchMax', { batchMax: 0 }],
    ['statesMax', { statesMax: 0 }],
    ['receiptsMax', { receiptsMax: -1 }],
    ['deadlineMs', { deadlineMs: 0 }],
    ['storeTimeoutMs', { storeTimeoutMs: Number.POSITIVE_INFINITY }],
    ['drainMs', { drainMs: -1 }],
    ['observe', { observe: {} }],
  ])('the option %s out of range is named when the writer is made', (name, options) => {
    const good = { name: 'sale', initial: () => ({ left: 1 }), decide: sell, store: memoryStore() }
    expect(() => createWriter({ ...good, ...options } as never)).toThrow(new RegExp(`^${name} `))
  })
})

function cyclic(): unknown {
  const command: { self?: unknown } = {}
  command.self = command
  return command
}
