import type { Store } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'

/** Mistakes in opening and closing, and the rules that are there for them. */
export const brokenOpenings: readonly [mistake: string, store: () => Store, rule: string][] = [
  [
    'forgets how many partitions there are',
    () => {
      const good = memoryStore()
      return { open: (name) => good.open(name, 1) }
    },
    'refuses another number of partitions as REJECTED, and still opens with the right one',
  ],
  [
    'refuses another number of partitions with an error of its own',
    () => {
      const good = memoryStore()
      return {
        open: (name, partitions) =>
          good.open(name, partitions).catch(() => {
            throw new Error('wrong number')
          }),
      }
    },
    'refuses another number of partitions as REJECTED, and still opens with the right one',
  ],
  [
    'takes any name',
    () => {
      const good = memoryStore()
      return { open: (name, partitions) => good.open(`n${Buffer.from(name).toString('hex').slice(0, 40)}`, partitions) }
    },
    'refuses a name that is no writer name',
  ],
  [
    'names its tables without case',
    () => {
      const good = memoryStore()
      return { open: (name, partitions) => good.open(name.toLowerCase(), partitions) }
    },
    'keeps writers of different names apart, also where the names differ in case only',
  ],
  [
    'makes its tables anew whenever it is opened',
    () => {
      let good = memoryStore()
      return {
        open(name, partitions) {
          good = memoryStore()
          return good.open(name, partitions)
        },
      }
    },
    'opens a writer again with the same number of partitions',
  ],
  [
    'starts empty for every ledger',
    () => ({ open: (name, partitions) => memoryStore().open(name, partitions) }),
    'lets two ledgers of one writer see each other',
  ],
  [
    'closes the store with one of its ledgers',
    () => {
      const good = memoryStore()
      let closed = false
      return {
        async open(name, partitions) {
          const ledger = await good.open(name, partitions)
          return {
            ...ledger,
            async close() {
              closed = true
            },
            commit: (batch) => (closed ? Promise.reject(new Error('closed')) : ledger.commit(batch)),
          }
        },
      }
    },
    'closes twice, and one ledger without the others',
  ],
  [
    'fails at the second close',
    () => {
      const good = memoryStore()
      return {
        async open(name, partitions) {
          let closes = 0
          const close = async () => {
            if (++closes > 1) throw new Error('not open')
          }
          return { ...(await good.open(name, partitions)), close }
        },
      }
    },
    'closes twice, and one ledger without the others',
  ],
]
