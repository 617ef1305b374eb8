import { type ChildProcess, spawn } from 'node:child_process'
import { root } from './projects.ts'

const graceMs = 15_000

/** Runs programs one after the other with their output shown, and stops the one that runs when this process is told to end. */
export interface Steps {
  /** True once the process has been told to end: nothing more is started. */
  readonly interrupted: boolean
  run(title: string, command: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<boolean>
}

export function createSteps(): Steps {
  let child: ChildProcess | undefined
  let interrupted = false
  const stop = () => {
    interrupted = true
    child?.kill('SIGTERM')
    setTimeout(() => child?.kill('SIGKILL'), graceMs).unref()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)

  return {
    get interrupted() {
      return interrupted
    },
    async run(title, command, args, env = {}) {
      if (interrupted) return false
      heading(title)
      const start = performance.now()
      const running = spawn(command, args, {
        cwd: root,
        env: { ...process.env, ...env },
        stdio: ['ignore', 'inherit', 'inherit'],
      })
      child = running
      const ok = await new Promise<boolean>((resolve) => {
        running.on('error', (error) => {
          console.error(`${command}: ${error.message}`)
          resolve(false)
        })
        running.on('close', (code) => resolve(code === 0))
      })
      child = undefined
      console.log(`${title}: ${ok ? 'passed' : 'failed'} after ${((performance.now() - start) / 1e3).toFixed(1)} s`)
      return ok
    },
  }
}

export function heading(title: string): void {
  console.log(`\n── ${title} ${'─'.repeat(Math.max(0, 100 - title.length))}`)
}
