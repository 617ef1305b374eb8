// One process of contenders for one key; says what it saw as one line of JSON.
import { setTimeout as sleep } from 'node:timers/promises'
import { openQuorumLibrary, type QuorumLibraryName } from './libraries.ts'

const { library, urls, prefix, contenders, sectionMs, durationMs } = JSON.parse(process.argv[2]!) as {
  library: QuorumLibraryName
  urls: string[]
  prefix: string
  contenders: number
  sectionMs: number
  durationMs: number
}
const locks = await openQuorumLibrary(library, urls, prefix)
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))

const end = performance.now() + durationMs
const counts = new Array<number>(contenders).fill(0)
const waitsMs: number[] = []
let seen = ''
const contend = async (own: number) => {
  for (let asked = performance.now(); asked < end; asked = performance.now()) {
    const release = await locks.acquire('contended')
    const got = performance.now()
    // Who gets the key after the end was in line for it; it counts for nobody.
    if (got < end) {
      counts[own]!++
      waitsMs.push(got - asked)
      await sleep(sectionMs)
    }
    await release()
  }
}
const all = Promise.all(counts.map((_, own) => contend(own)))
// A library that livelocks does not come to its end.
await Promise.race([all, sleep(durationMs + 2_000)])
seen = JSON.stringify({ counts, waitsMs, commands: locks.commands })
process.stdout.write(`${seen}\n`, () => process.exit())
