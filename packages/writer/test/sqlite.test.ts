import { DatabaseSync } from 'node:sqlite'
import { createWriter } from '@headrace/writer'
import { sqliteStore } from '@headrace/writer/sqlite'
import { expect, it } from 'vitest'
import { type Stock, sell } from './subject.ts'
import { tempFile } from './temp-file.ts'

const create = (path: string) =>
  createWriter({
    ...{ name: 'sale', initial: (): Stock => ({ left: 10 }), decide: sell, store: sqliteStore(path, { busyMs: 0 }) },
    queue: { publish: async () => {} },
  })

it.each([
  ['path', '', {}],
  ['path', undefined, {}],
  ['busyMs', 'x.db', { busyMs: -1 }],
  ['busyMs', 'x.db', { busyMs: 60_001 }],
])('%s out of range is named when the store is made', (name, path, options) => {
  expect(() => sqliteStore(path as string, options)).toThrow(new RegExp(`^${name} `))
})

it('a file that cannot be opened is UNAVAILABLE, with the cause', async () => {
  const { path, remove } = tempFile('missing/folder/store.db')
  await expect(sqliteStore(path).open('sale', 1)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    cause: expect.any(Error),
  })
  remove()
})

it('a write waits while another program holds the file, and then takes effect once', async () => {
  const { path, remove } = tempFile()
  const writer = create(path)
  await writer.write('a', { quantity: 1 })
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const held = writer.write('a', { quantity: 1 })
  // The program lets go only when the writer has met it.
  while (!writer.stats().lanes[0]?.waiting) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  other.exec('COMMIT')
  other.close()
  expect(await held).toMatchObject({ sequence: 2, replayed: false })
  expect(await writer.read('a')).toEqual({ left: 8 })
  await writer.close()
  remove()
})

it('two writers of one file own it in turn, and between them nothing is lost or done twice', async () => {
  const { path, remove } = tempFile()
  const writers = [create(path), create(path)]
  let sold = 0
  for (let write = 0; write < 20; write++) {
    const id = `order-${write}`
    for (;;) {
      try {
        const { result } = await writers[write % 2]!.write('a', { quantity: 1 }, { id })
        if (result === 'sold') sold++
        break
      } catch (error) {
        expect(error).toMatchObject({ code: 'STALE' })
      }
    }
  }
  expect(sold).toBe(10)
  expect(await writers[0]!.read('a')).toEqual({ left: 0 })
  await Promise.all(writers.map((writer) => writer.close()))
  remove()
})
