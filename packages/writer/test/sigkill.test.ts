import { createInterface } from 'node:readline'
import { isDeepStrictEqual } from 'node:util'
import { seededRandom } from '@headrace/core'
import { sqliteStore } from '@headrace/writer/sqlite'
import { expect, it } from 'vitest'
import { exit, startChild } from './processes/child.ts'
import { keys, rich, writeOf } from './processes/ledger-of.ts'
import { type Spent, spend } from './simulation/account.ts'
import { tempFile } from './temp-file.ts'

type Answer = readonly [sequence: number, result: Spent]

/** Everything that any process ever answered. */
function book() {
  const answers = new Map<string, Answer>()
  const changed: string[] = []
  return {
    answers,
    changed,
    /** Hears what a process answers; tells when `count` answers are there. */
    listen(stdout: NodeJS.ReadableStream, count = Number.POSITIVE_INFINITY): Promise<void> {
      let heard = 0
      return new Promise((resolve) => {
        createInterface({ input: stdout }).on('line', (line) => {
          // The last line of a process that was killed may be cut.
          if (!line.endsWith(']')) return
          const [id, ...answer] = JSON.parse(line) as [string, ...Answer]
          const before = answers.get(id)
          if (before && !isDeepStrictEqual(before, answer)) changed.push(`${id}: ${before} became ${answer}`)
          answers.set(id, answer)
          if (++heard >= count) resolve()
        })
      })
    },
  }
}

it('what was answered before a SIGKILL is what every later process answers, and nothing is done twice', async () => {
  const file = tempFile()
  const random = seededRandom(Number(process.env['HEADRACE_SEED'] ?? 7))
  const rounds = Number(process.env['HEADRACE_KILLS'] ?? 8)
  const { answers, changed, listen } = book()
  const endless = '1000000'
  let from = 0
  try {
    for (let round = 0; round < rounds; round++) {
      // What the last process left open is sent again with the same ids, and some of what it had answered.
      const child = startChild('flood.ts', [file.path, String(Math.max(0, from - 200)), endless])
      await listen(child.stdout!, 300 + Math.floor(random.next() * 2_000))
      // Every other time the next process takes over while this one still writes.
      const rival = round % 2 ? startChild('flood.ts', [file.path, String(from), endless]) : undefined
      if (rival) await listen(rival.stdout!, 100)
      child.kill('SIGKILL')
      rival?.kill('SIGKILL')
      await Promise.all([exit(child), rival && exit(rival)])
      from = answers.size
    }
    const last = startChild('flood.ts', [file.path, '0', String(from + 500)])
    void listen(last.stdout!)
    await exit(last)
    expect(last.exitCode).toBe(0)
    expect(changed).toEqual([])

    const store = await sqliteStore(file.path).open('accounts', 1)
    const numbers = Array.from({ length: from + 10_000 }, (_, number) => number)
    const stored = await store.load(
      keys,
      numbers.map((number) => writeOf(number).id),
    )
    await store.close()
    const receipts = new Map(stored.receipts.map((receipt) => [receipt.id, receipt]))
    const lost = [...answers].filter(([id, [sequence, result]]) => {
      const receipt = receipts.get(id)
      return receipt?.sequence !== sequence || receipt.result !== JSON.stringify(result)
    })
    expect(lost).toEqual([])
    for (const key of keys) {
      const chain = stored.receipts.filter((receipt) => receipt.key === key)
      chain.sort((a, b) => a.sequence - b.sequence)
      expect(chain.map((receipt) => receipt.sequence)).toEqual(chain.map((_, at) => at + 1))
      let state = rich()
      for (const { id, result } of chain) {
        const decision = spend(state, writeOf(Number(id.slice('write-'.length))).command)
        expect(JSON.stringify(decision.result)).toBe(result)
        state = decision.state ?? state
      }
      const row = stored.states.find((each) => each.key === key)
      expect(row).toMatchObject({ sequence: chain.length, state: JSON.stringify(state) })
    }
  } finally {
    file.remove()
  }
}, 120_000)
