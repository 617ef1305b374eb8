import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

interface Row {
  readonly pid: number
  readonly parent: number
  readonly state: string
}

// Slim containers have no `ps`, and other systems have no /proc.
function rows(): Row[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? (row(Number(entry)) ?? []) : []))
  }
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,state='], { encoding: 'utf8' })
  return table.split('\n').flatMap((line) => {
    const [pid, parent, state] = line.trim().split(/\s+/)
    return pid && parent && state ? { pid: Number(pid), parent: Number(parent), state } : []
  })
}

function row(pid: number): Row | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in the second field can hold spaces and parentheses.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { pid, parent: Number(parent), state: state! }
  } catch {
    return undefined
  }
}

/** `pid` and all its living descendants, parents first. PostgreSQL's each have a session of their own, so a group is not enough. */
export function processTree(pid: number): number[] {
  const all = rows().filter(({ state }) => !state.startsWith('Z'))
  const tree = all.some((row) => row.pid === pid) ? [pid] : []
  for (const ancestor of tree) for (const { pid, parent } of all) if (parent === ancestor) tree.push(pid)
  return tree
}

/** Whether `pid` still runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return process.platform !== 'linux' || !/^[ZX]/.test(row(pid)?.state ?? 'X')
}

/** Stops each of `pids` with all its threads, and comes back when they stand still: on a busy machine one goes on for a while. */
export function freezeAll(pids: readonly number[]): void {
  signalAll(pids, 'SIGSTOP')
  if (process.platform !== 'linux') return
  const end = performance.now() + 1_000
  while (performance.now() < end && pids.some((pid) => threadStates(pid).some((state) => !/[TtZX]/.test(state))));
}

function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
    })
  } catch {
    // It ended meanwhile.
    return []
  }
}

/** Sends `signal` to each of `pids` that still exists. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
