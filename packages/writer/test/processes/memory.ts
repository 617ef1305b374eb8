// Writes a number of distinct keys and ids in every way a write can end, and prints the heap after each part.
import { createWriter, type Store } from '@headrace/writer'

const [writes, parts] = process.argv.slice(2).map(Number) as [number, number]

/** Keeps nothing, so that what stays in the heap is what the writer keeps. */
const amnesia: Store = {
  async open() {
    return {
      seal: async () => 1n,
      load: async () => ({ states: [], receipts: [] }),
      commit: async () => ({ type: 'committed' }),
      outbox: async () => [],
      published: async () => {},
      close: async () => {},
    }
  },
}
const writer = createWriter<{ n: number }, number, string>({
  ...{ name: 'memory', initial: () => ({ n: 0 }), store: amnesia, partitions: 4 },
  decide({ n }, command) {
    if (command === 3) throw new Error('refused')
    return { state: { n: n + 1 }, result: 'done' }
  },
})

const portion = 2_000
for (let part = 0; part < parts; part++) {
  for (let at = 0; at < writes / parts / portion; at++) {
    const group: Promise<unknown>[] = []
    for (let each = 0; each < portion; each++) {
      const id = `id-${part}-${at}-${each}`
      const key = `key-${part}-${at}-${each}`
      // Some are refused, some give up in line, some join another, most are answered.
      const way = each % 16
      const signal = way === 5 ? AbortSignal.timeout(0) : undefined
      group.push(writer.write(key, way, { id, signal }).catch(() => {}))
      if (way === 7) group.push(writer.write(key, way, { id }).catch(() => {}))
    }
    await Promise.all(group)
  }
  globalThis.gc!()
  process.stdout.write(`${process.memoryUsage().heapUsed}\n`)
}
await writer.close()
