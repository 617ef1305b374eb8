// A process of its own: it runs one server and ends it, with everything the server has started, when standard input
// closes. The other end belongs to the process that asked for the server, and the kernel closes it however that
// process dies. It is started in its own session, where neither Ctrl-C nor a signal to the group of its parent reaches it.
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GuardOrder } from './guarded.ts'
import { isAlive, processTree, signalAll } from './process-tree.ts'

const order = JSON.parse(process.argv[2]!) as GuardOrder
const { command, args, cwd, user, endSignal, endMs, folder } = order

// The log is on standard error; whoever reads standard output may be dead already.
process.stdout.on('error', () => {})
const server = spawn(command, args, { cwd, ...user, stdio: ['ignore', process.stderr, process.stderr] })
const killedMs = 5_000
let ending = false

server.on('error', (error) => {
  console.error(`${command} cannot be run: ${error.message}`)
  process.exit(127)
})
server.on('spawn', () => process.stdout.write(`${server.pid}\n`))
server.on('exit', (code, signal) => {
  if (ending) return
  console.error(`headrace: ${command} ${signal ? `was ended by ${signal}` : `exited with code ${code}`}`)
  process.exit(code ?? 1)
})

async function end() {
  if (ending) return
  ending = true
  const tree = server.pid === undefined ? [] : processTree(server.pid)
  signalAll(tree, 'SIGCONT')
  signalAll(tree.slice(0, 1), endSignal)
  await gone(tree, endMs)
  signalAll([...new Set([...tree.filter(isAlive), ...tree.flatMap(processTree)])], 'SIGKILL')
  await gone(tree, killedMs)
  if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  process.exit(0)
}

async function gone(pids: readonly number[], limitMs: number) {
  const deadline = performance.now() + limitMs
  while (pids.some(isAlive) && performance.now() < deadline) await sleep(10)
}

process.stdin.on('end', end).on('error', end).resume()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
