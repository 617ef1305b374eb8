// One process of contenders for one key; says what it saw as one line of JSON.
import { type LibraryName, openLibrary } from './libraries.ts'

const { library, url, prefix, contenders, sectionMs, durationMs } = JSON.parse(process.argv[2]!) as {
  library: LibraryName
  url: string
  prefix: string
  contenders: number
  sectionMs: number
  durationMs: number
}
const locks = await openLibrary(library, url, prefix)
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))

const section = () =>
  new Promise<unknown>((resolve) => (sectionMs > 0 ? setTimeout(resolve, sectionMs) : setImmediate(resolve)))
const start = performance.now()
const end = start + durationMs
const counts = new Array<number>(contenders).fill(0)
const waitsMs: number[] = []
await Promise.all(
  counts.map(async (_, own) => {
    for (let asked = performance.now(); asked < end; asked = performance.now()) {
      const release = await locks.acquire('contended')
      const got = performance.now()
      // Who gets the key after the end was in line for it; it counts for nobody.
      if (got < end) {
        counts[own]!++
        waitsMs.push(got - asked)
        await section()
      }
      await release()
    }
  }),
)
const seen = JSON.stringify({ counts, waitsMs, commands: locks.commands })
await locks.close()
// A long line is not out yet when write returns.
process.stdout.write(`${seen}\n`, () => process.exit())
