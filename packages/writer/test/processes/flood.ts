// Writes the numbers from one to another and prints each answer: a line that is out is a promise to a caller.
import { isHeadraceError } from '@headrace/core'
import { accounts, writeOf } from './ledger-of.ts'

const [path, from, to] = process.argv.slice(2) as [string, string, string]
const writer = accounts(path)
let next = Number(from)

async function caller(): Promise<void> {
  while (next < Number(to)) {
    const { id, key, command } = writeOf(next++)
    for (;;) {
      try {
        const { sequence, result } = await writer.write(key, command, { id })
        process.stdout.write(`${JSON.stringify([id, sequence, result])}\n`)
        break
      } catch (error) {
        // Another process may own the accounts by now, or for a moment.
        if (!isHeadraceError(error, 'STALE') && !isHeadraceError(error, 'UNAVAILABLE')) throw error
      }
    }
  }
}

await Promise.all(Array.from({ length: 64 }, caller))
await writer.close()
