import { headraceQueue } from '@headrace/queue/cli'

export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs the command in this process. */
export async function runCommand(
  args: readonly string[],
  options: { readonly terminal: boolean; readonly environment?: Readonly<Record<string, string>> },
): Promise<Ended> {
  let [out, err] = ['', '']
  const output = {
    out(line: string) {
      out += line
    },
    err(line: string) {
      err += line
    },
    terminal: options.terminal,
  }
  const code = await headraceQueue(args, output, { environment: options.environment ?? {} })
  return { code, out, err }
}
