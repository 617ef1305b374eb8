import { expect, it } from 'vitest'
import { ending, gate, never, setup } from './subject.ts'

const one = { quantity: 1 }

it('close lets what is in line finish and refuses what comes after', async () => {
  const open = gate()
  const { clock, writer } = setup({
    batchMax: 1,
    change: (good) => ({ commit: (batch) => open.promise.then(() => good.commit(batch)) }),
  })
  const ends = [1, 2, 3].map(() => ending(clock, writer.write('a', one)))
  await clock.settle()
  const closed = writer.close()
  await expect(writer.write('a', one)).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(writer.read('a')).rejects.toMatchObject({ code: 'CLOSED' })
  open.resolve()
  await closed
  expect(await Promise.all(ends)).toMatchObject([{ sequence: 1 }, { sequence: 2 }, { sequence: 3 }])
  expect(clock.pending).toBe(0)
})

it('close gives up after drainMs: what waits, and what the store has, gets CLOSED before close resolves', async () => {
  const { clock, writer } = setup({ batchMax: 1, drainMs: 100, deadlineMs: 60_000, change: () => ({ commit: never }) })
  const ends = [1, 2].map(() => ending(clock, writer.write('a', one)))
  await clock.settle()
  const closed = writer.close()
  await clock.advance(100)
  await closed
  expect(await Promise.all(ends)).toEqual([
    { code: 'CLOSED', atMs: 100 },
    { code: 'CLOSED', atMs: 100 },
  ])
  expect(writer.stats()).toMatchObject({ waiting: 0, waitingLength: 0 })
  expect(clock.pending).toBe(0)
})

it('close gives up when its signal aborts', async () => {
  const { clock, writer } = setup({ change: () => ({ load: never }) })
  const end = ending(clock, writer.write('a', one))
  await clock.settle()
  const controller = new AbortController()
  const closed = writer.close({ signal: controller.signal })
  controller.abort()
  await closed
  expect(await end).toEqual({ code: 'CLOSED', atMs: 0 })
})

it('close twice is close once', async () => {
  let closes = 0
  const { writer } = setup({ change: () => ({ close: async () => void closes++ }) })
  await writer.write('a', one)
  await Promise.all([writer.close(), writer.close()])
  await writer.close()
  expect(closes).toBe(1)
})

it('close of a writer that never wrote does not open the store', async () => {
  const { writer } = setup({ store: { open: () => Promise.reject(new Error('opened')) } })
  await writer.close()
})

it('close while the store is being opened closes it when it comes', async () => {
  let closes = 0
  const open = gate()
  const { clock, good, create } = setup({})
  const writer = create({
    drainMs: 0,
    store: {
      async open(name, partitions) {
        await open.promise
        return { ...(await good.open(name, partitions)), close: async () => void closes++ }
      },
    },
  })
  const end = ending(clock, writer.write('a', one))
  const closed = writer.close()
  await clock.advance(1)
  open.resolve()
  await closed
  expect(await end).toMatchObject({ code: 'CLOSED' })
  expect(closes).toBe(1)
})

it('close tells of a store that does not close', async () => {
  const { clock, writer } = setup({ storeTimeoutMs: 50, change: () => ({ close: never }) })
  await writer.write('a', one)
  const closed = expect(writer.close()).rejects.toMatchObject({ code: 'TIMEOUT' })
  await clock.advance(50)
  await closed
})

it('await using closes', async () => {
  let closes = 0
  const { create } = setup({ change: () => ({ close: async () => void closes++ }) })
  {
    await using writer = create()
    await writer.write('a', one)
  }
  expect(closes).toBe(1)
})

it('an observer may write and close from within an event', async () => {
  const { clock, create, ledger } = setup({})
  const ends: unknown[] = []
  const writer = create({
    observe(event) {
      if (event.type !== 'committed' || ends.length > 0) return
      ends.push(ending(clock, writer.write('a', one)))
      void writer.close()
    },
  })
  await writer.write('a', one)
  expect(await Promise.all(ends)).toMatchObject([{ sequence: 2 }])
  expect((await (await ledger()).load(['a'], [])).states).toMatchObject([{ sequence: 2 }])
})
