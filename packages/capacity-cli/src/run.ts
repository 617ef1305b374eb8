import { Command, CommanderError } from 'commander'
import { erlangCommand } from './commands/erlang.ts'
import { fitCommand } from './commands/fit.ts'
import { planCommand } from './commands/plan.ts'
import { simulateCommand } from './commands/simulate.ts'

/** Where the command writes; its result to `out`, everything else to `err`. */
export interface Output {
  out(text: string): void
  err(text: string): void
}

/**
 * `headrace-capacity` with these arguments.
 * @returns the exit code: 0 for an answer, 1 for a promise that cannot be kept, 2 for arguments that cannot be.
 */
export async function run(args: readonly string[], output: Output): Promise<number> {
  let code = 0
  const program = new Command('headrace-capacity')
    .description('How many, how long, how full: times in seconds, rates per second, loads in erlangs.')
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.err })
  const answer = (text: string, exitCode = 0) => {
    output.out(`${text}\n`)
    code = exitCode
  }
  for (const add of [planCommand, erlangCommand, fitCommand, simulateCommand]) {
    program.addCommand(add(answer).copyInheritedSettings(program))
  }
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!(error instanceof RangeError || error instanceof TypeError) && !isFileError(error)) throw error
    output.err(`error: ${error.message}\n`)
    return 2
  }
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}
