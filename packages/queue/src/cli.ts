#!/usr/bin/env node
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isHeadraceError } from '@headrace/core'
import { readArguments, usage } from './cli/arguments.ts'
import { run } from './cli/run.ts'

/** Where the command writes: its answer to `out`, everything else to `err`. */
export interface Output {
  out(text: string): void
  err(text: string): void
  /** Whether `err` is a terminal, and shows how far it is. */
  readonly terminal: boolean
}

/**
 * `headrace-queue` with these arguments.
 * @returns the exit code: 0 done, 1 could not be done, 2 for arguments that are wrong, 130 when `signal` aborted.
 */
export async function headraceQueue(
  args: readonly string[],
  output: Output,
  options: {
    readonly signal?: AbortSignal
    readonly environment?: Readonly<Record<string, string | undefined>>
  } = {},
): Promise<number> {
  const { signal = new AbortController().signal, environment = process.env } = options
  if (args.includes('--help')) {
    output.out(usage)
    return 0
  }
  let shown = false
  const clear = () => {
    if (shown) output.err('\r\u001b[K')
    shown = false
  }
  try {
    const read = readArguments(args, environment)
    const progress = (done: number, total: number) => {
      if (!output.terminal || read.json || done % 100 !== 1) return
      output.err(`\r${read.command}: ${done} of ${total}`)
      shown = true
    }
    const { value, text } = await run(read, { signal, progress })
    clear()
    output.out(`${read.json ? JSON.stringify(value) : text}\n`)
    return 0
  } catch (error) {
    clear()
    if (isHeadraceError(error, 'ABORTED')) {
      output.err('interrupted: what was done stays done\n')
      return 130
    }
    const wrong = error instanceof RangeError || error instanceof TypeError
    output.err(`error: ${withoutSecrets(error)}${wrong ? '\n\nheadrace-queue --help says more' : ''}\n`)
    return wrong ? 2 : 1
  }
}

/** Errors of clients may have the URL in them. */
const withoutSecrets = (error: unknown) =>
  (error instanceof Error ? error.message : String(error)).replace(/\/\/[^\s/@]*@/g, '//…@')

// Imported, it does nothing: npm starts it through a link.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  const output: Output = {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    terminal: process.stderr.isTTY === true,
  }
  process.exitCode = await headraceQueue(process.argv.slice(2), output, { signal: stop.signal })
}
