import { createWriter, type Writer } from '@headrace/writer'
import { sqliteStore } from '@headrace/writer/sqlite'
import { type Account, opened, type Spend, type Spent, spend } from '../simulation/account.ts'

export const keys: readonly string[] = ['ant', 'bee', 'cat']

export const rich = (): Account => ({ ...opened(), left: 5_000 })

/** What the write with this number is: the same in every process. */
export function writeOf(number: number): { id: string; key: string; command: Spend } {
  return { id: `write-${number}`, key: keys[number % keys.length]!, command: { amount: 1 + (number % 9) } }
}

export const accounts = (path: string): Writer<Account, Spend, Spent> =>
  createWriter<Account, Spend, Spent>({
    ...{ name: 'accounts', initial: rich, store: sqliteStore(path), deadlineMs: 10_000 },
    decide(state, command) {
      const { events: _, ...decision } = spend(state, command)
      return decision
    },
  })
