import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Starts a script of this folder from the sources, in a process of its own. */
export function startChild(script: string, args: readonly string[], flags: readonly string[] = []): ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const node = ['--conditions=@headrace/source', '--disable-warning=ExperimentalWarning', ...flags]
  return spawn(process.execPath, [...node, path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
}

export function exit(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })
}
