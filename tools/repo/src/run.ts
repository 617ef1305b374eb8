import { spawn } from 'node:child_process'

export interface RunResult {
  readonly ok: boolean
  readonly stdout: string
  /** Both streams, in the order in which they came. */
  readonly output: string
}

/** Runs a program to its end, or kills it after 2 minutes, and gives what it wrote. */
export function capture(command: string, args: readonly string[], cwd: string): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 120_000,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', (error) => resolve({ ok: false, stdout, output: `${output}${command}: ${error.message}` }))
    child.on('close', (code) => resolve({ ok: code === 0, stdout, output }))
  })
}
