import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { systemClock } from '@headrace/core'
import type { LockDriver } from '@headrace/lock'
import type { LockSubject } from '@headrace/lock/conformance'

/** A key space that no other test uses. */
export const freshPrefix = (): string => `test:${randomUUID()}`

/** The subject of the conformance suite for two drivers on one server. */
export const onServer = (driver: LockDriver, peer: LockDriver): LockSubject => ({
  driver,
  peer,
  clock: systemClock,
  ttlMs: 300,
  elapse: (ms: number) => sleep(ms),
})

export interface Worker {
  readonly pid: number
  /** The next event of this type; events that came before count. */
  event(type: string): Promise<Record<string, unknown>>
  kill(signal: NodeJS.Signals): void
  stop(): Promise<void>
}

/** Starts `worker.ts` as a process of its own. */
export function startWorker(options: {
  readonly url: string
  readonly prefix: string
  readonly key: string
  readonly waiters: number
  readonly ttlMs?: number
  readonly claimMs?: number
  readonly handoverMax?: number
}): Worker {
  const child = spawn(
    process.execPath,
    ['--conditions=@headrace/source', fileURLToPath(new URL('worker.ts', import.meta.url)), JSON.stringify(options)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  const events: Record<string, unknown>[] = []
  let arrived = () => {}
  createInterface({ input: child.stdout }).on('line', (line) => {
    events.push(JSON.parse(line))
    arrived()
  })
  return {
    pid: child.pid!,
    async event(type) {
      for (;;) {
        const found = events.findIndex((event) => event['type'] === type)
        if (found >= 0) return events.splice(found, 1)[0]!
        await new Promise<void>((resolve, reject) => {
          arrived = resolve
          void exited.then(() => reject(new Error(`the worker ended before "${type}"`)))
        })
      }
    },
    kill: (signal) => void child.kill(signal),
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
