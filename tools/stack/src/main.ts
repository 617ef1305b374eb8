import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { Command } from 'commander'
import { serverNames } from './address.ts'
import { serviceNames, startServices } from './services.ts'

// Commander would join what is before and what is after `--`.
const dashes = process.argv.indexOf('--')
const own = dashes === -1 ? process.argv : process.argv.slice(0, dashes)
const command = dashes === -1 ? [] : process.argv.slice(dashes + 1)

// Standard output belongs to the addresses, or to the command that is run.
const say = (line: string) => console.error(`headrace stack: ${line}`)
const named = (names: readonly string[]) => (names.length > 0 ? names : serverNames)
const list = `${serviceNames.join(', ')} (without a name: ${serverNames.join(', ')})`

const program = new Command('stack').description('Real servers on loopback for tests, benches and apps.')

program
  .command('up')
  .description('start servers, print their addresses, stop them on Ctrl-C')
  .argument('[servers...]', list)
  .action(async (names: string[]) => {
    await using services = await startServices(named(names), say)
    for (const [variable, url] of Object.entries(services.env)) console.log(`${variable}=${url}`)
    say('running; Ctrl-C stops all')
    await stopSignal()
  })

program
  .command('run')
  .description('run a command with the addresses of servers in its environment: run [servers...] -- COMMAND')
  .argument('[servers...]', list)
  .action(async (names: string[]) => {
    const [file, ...args] = command
    if (!file) return program.error('run needs a command: pnpm stack run [servers...] -- COMMAND')
    await using services = await startServices(named(names), say)
    process.exitCode = await exitCode(file, args, services.env)
  })

/** Keeps this process running until it is asked to end. */
async function stopSignal(): Promise<void> {
  const waiting = setInterval(() => {}, 2 ** 30)
  await Promise.race(['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => once(process, signal)))
  clearInterval(waiting)
}

async function exitCode(file: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: 'inherit' })
  // Ctrl-C reaches the command by itself; the servers stay until it has ended.
  process.on('SIGINT', () => {})
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return code ?? 128 + constants.signals[signal!]
  } catch (error) {
    say(`${file} cannot be run: ${(error as Error).message}`)
    return 127
  }
}

try {
  await program.parseAsync(own)
} catch (error) {
  say((error as Error).message)
  process.exitCode = 1
}
