// One process that takes free keys and gives them back; says what it measured as one line of JSON.
import { closedLoop } from '../closed-loop.ts'
import { openLibrary } from './libraries.ts'

const { library, urls, prefix, callers, warmUpMs, durationMs } = JSON.parse(process.argv[2]!)
const locks = await openLibrary(library, urls, prefix)
const call = async (caller: number, index: number) => {
  const release = await locks.acquire(`${caller}:${index % 50}`)
  await release()
}
const { signal } = new AbortController()
await closedLoop({ durationMs: warmUpMs, signal }, { callers, call })
const cpu = process.cpuUsage()
const before = locks.commands
const { answeredPerSec, p50Ms, p99Ms } = await closedLoop({ durationMs, signal }, { callers, call })
const { user, system } = process.cpuUsage(cpu)
const answered = (answeredPerSec * durationMs) / 1e3
const seen = {
  pairsPerSec: answeredPerSec,
  clientCpuUs: (user + system) / answered,
  commandsEach: (locks.commands - before) / answered,
  p50Ms,
  p99Ms,
}
await locks.close()
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit())
