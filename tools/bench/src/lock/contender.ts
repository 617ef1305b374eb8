// One process of contenders for one key; says what it saw as one line of JSON.
import { openLibrary } from './libraries.ts'

const options = JSON.parse(process.argv[2]!)
const { library, urls, prefix, contenders, sectionMs, durationMs } = options
const locks = await openLibrary(library, urls, prefix)
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))

const pause = (ms: number) =>
  new Promise<unknown>((resolve) => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)))
const end = performance.now() + durationMs
const counts = new Array<number>(contenders).fill(0)
const waitsMs: number[] = []
const contend = async (own: number) => {
  for (let asked = performance.now(); asked < end; asked = performance.now()) {
    const release = await locks.acquire('contended')
    const got = performance.now()
    // Who gets the key after the end was in line for it; it counts for nobody.
    if (got < end) {
      counts[own]!++
      waitsMs.push(got - asked)
      await pause(sectionMs)
    }
    await release()
  }
}
// A library that livelocks does not come to its end.
await Promise.race([Promise.all(counts.map((_, own) => contend(own))), pause(durationMs + 2_000)])
const seen = JSON.stringify({ counts, waitsMs, commands: locks.commands })
// A long line is not out yet when write returns.
process.stdout.write(`${seen}\n`, () => process.exit())
