import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { QueueMessage } from '@headrace/queue'
import { afterAll } from 'vitest'

export const folder: string = mkdtempSync(join(tmpdir(), 'headrace-queue-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
export const file = (): string => join(folder, `${files++}.db`)

/** A copy of the file and its log is what a new process finds after a SIGKILL at this moment. */
export function copyOf(path: string): string {
  const copy = file()
  for (const suffix of ['', '-wal']) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix)
  return copy
}

export const message = (id: string): QueueMessage => ({
  id,
  key: undefined,
  partition: 0,
  payload: '1',
  headers: {},
  publishedAtMs: 0,
  delayMs: 0,
})
