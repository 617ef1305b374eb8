import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freezeAll, isAlive, processTree, signalAll } from './process-tree.ts'

/** A command line, and how it is ended. */
export interface Command {
  readonly command: string
  readonly args: readonly string[]
  /** All of its environment but `PATH`: what is set on this machine for another server must not reach this one. */
  readonly env?: Readonly<Record<string, string>>
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** What asks it to end at once; after `endMs` it is killed. */
  readonly endSignal?: NodeJS.Signals
  readonly endMs?: number
}

/** What the guard process is told, as JSON in its first argument. */
export interface GuardOrder {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly user: { readonly uid: number; readonly gid: number } | undefined
  readonly endSignal: NodeJS.Signals
  readonly endMs: number
  /** Removed after the end. */
  readonly folder: string | undefined
}

export interface Guarded {
  /** Of the server, not of its guard. */
  readonly pid: number
  running(): boolean
  /** Ends the server and what it started; also removes the folder that the guard was given. */
  end(): Promise<void>
  /** SIGKILL to the server and its descendants; resolves when none is left. */
  kill(): Promise<void>
  /** Sends `signal` and waits for the end; kills after `limitMs`. */
  quit(signal: NodeJS.Signals, limitMs: number): Promise<void>
  /** SIGSTOP to the server and its descendants; they stand still when it returns. */
  freeze(): void
  /** SIGCONT to them. */
  thaw(): void
}

const guardPath = fileURLToPath(new URL('guard.ts', import.meta.url))
const startLimitMs = 20_000
const goneLimitMs = 10_000

/** Runs `command` in `cwd` under a guard that ends it when this process dies, by whatever signal. */
export async function spawnGuarded(command: Command, cwd: string, logFd: number, folder?: string): Promise<Guarded> {
  const { env = {}, args, user, endSignal = 'SIGKILL', endMs = 0 } = command
  const order: GuardOrder = { command: command.command, args, cwd, user, endSignal, endMs, folder }
  const guard = spawn(process.execPath, [guardPath, JSON.stringify(order)], {
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', HOME: cwd, ...env },
    detached: true,
    stdio: ['pipe', 'pipe', logFd],
  })
  let closed = false
  guard.on('exit', () => {
    closed = true
  })
  // A guard that is gone has nothing left to be told.
  guard.stdin?.on('error', () => {})
  const pid = await serverPid(guard, command.command)
  // A server nobody stops must not keep this process from ending, which stops it.
  guard.unref()
  for (const stream of [guard.stdin, guard.stdout]) (stream as unknown as { unref(): void }).unref()

  const gone = async (pids: readonly number[], limitMs: number) => {
    const deadline = performance.now() + limitMs
    while (!(closed && !pids.some(isAlive))) {
      if (performance.now() > deadline) return false
      await sleep(10)
    }
    return true
  }
  const kill = async () => {
    const tree = processTree(pid)
    signalAll(tree, 'SIGKILL')
    if (!(await gone(tree, goneLimitMs))) throw new Error(`${command.command} (pid ${pid}) outlives SIGKILL`)
  }
  return {
    pid,
    kill,
    // The guard goes last, after it has written to the log how the server ended.
    running: () => !closed,
    async end() {
      const tree = processTree(pid)
      guard.stdin?.end()
      if (await gone(tree, endMs + goneLimitMs)) return
      guard.kill('SIGKILL')
      await kill()
    },
    async quit(signal, limitMs) {
      const tree = processTree(pid)
      signalAll(tree, 'SIGCONT')
      signalAll(tree.slice(0, 1), signal)
      if (!(await gone(tree, limitMs))) await kill()
    },
    freeze() {
      // The first one can fork no more once it is stopped, so the second look is complete.
      freezeAll([pid])
      freezeAll(processTree(pid))
    },
    thaw() {
      signalAll(processTree(pid), 'SIGCONT')
    },
  }
}

/** The first thing a guard says is the pid of its server; one that could not run it says why in the log, and ends. */
async function serverPid(guard: ChildProcess, command: string): Promise<number> {
  const limit = AbortSignal.timeout(startLimitMs)
  const closed = once(guard, 'close', { signal: limit }).then(() => undefined)
  const said = once(guard.stdout!, 'data', { signal: limit }).then(([data]) => Number(String(data)))
  try {
    const pid = await Promise.race([closed, said])
    if (pid === undefined) throw new Error(`${command} could not be run`)
    return pid
  } catch (error) {
    guard.kill('SIGKILL')
    throw error
  } finally {
    for (const loser of [closed, said]) loser.catch(() => {})
  }
}
