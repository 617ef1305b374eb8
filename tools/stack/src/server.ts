import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { chown, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Command, type Guarded, spawnGuarded } from './guarded.ts'
import { freePort } from './port.ts'

/** A server of our own: on a free port of 127.0.0.1, with its files in a temporary folder, ended with this process. */
export interface Server extends AsyncDisposable {
  readonly name: string
  /** Stays the same over `restart`. */
  readonly url: string
  /** Of the real server process, at present. */
  readonly pid: number
  /** The last part of what the server has written. */
  log(): string
  /** Ends the server for good and removes its files. */
  stop(): Promise<void>
  /** SIGKILL to the server and its children; resolves when they are gone. `restart` brings it back. */
  kill(): Promise<void>
  /** Same port, same data; ends it in good order first if it runs. */
  restart(): Promise<void>
  /** Same port, no data. */
  wipe(): Promise<void>
  /** SIGSTOP: connections stay open, and from the return of the call on nothing answers. */
  pause(): void
  resume(): void
}

export interface Place {
  readonly folder: string
  /** Survives a restart, not a wipe; belongs to `user` of the plan. */
  readonly data: string
  readonly ports: readonly number[]
}

/** What is particular to one kind of server. */
export interface Plan {
  readonly name: string
  readonly portCount: number
  /** A server that takes longer than this to answer has failed. */
  readonly readyMs: number
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  url(place: Place): string
  /** Writes what the server needs before its first start; called again after a wipe. */
  prepare?(place: Place): Promise<void>
  /** Started before the server, ended after it, untouched by `kill` and `restart`. */
  companion?(place: Place): Command
  command(place: Place): Command
  /** What the server writes once it has its port: another server there may answer the probe, but not write this. */
  readonly ready: RegExp
  /** Asks it to end in good order. */
  readonly quitSignal: NodeJS.Signals
  probe(place: Place): Promise<boolean>
  /** Removes what SIGKILL makes the server leave outside its folder. */
  killed?(place: Place): Promise<void>
}

const portAttempts = 5
const quitMs = 20_000
const logMaxBytes = 64 * 1024
const shownLines = 40
const collision = /address (is )?already in use|eaddrinuse/i

export async function startServer(plan: Plan): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const folder = await mkdtemp(join(tmpdir(), `headrace-${plan.name}-`))
    if (plan.user) await chown(folder, plan.user.uid, plan.user.gid)
    const ports = await Promise.all(Array.from({ length: plan.portCount }, freePort))
    const server = serverIn(plan, { folder, data: join(folder, 'data'), ports })
    try {
      await server.wipe()
      return server
    } catch (error) {
      const taken = collision.test(server.log())
      await server.stop()
      if (!taken || attempt === portAttempts) throw error
    }
  }
}

function serverIn(plan: Plan, place: Place): Server {
  const { folder, data } = place
  const logFile = join(folder, 'log')
  let main: Guarded | undefined
  let companion: Guarded | undefined
  let lastLog: string | undefined
  let runStart = 0

  const wholeLog = () => {
    try {
      return readFileSync(logFile)
    } catch {
      return Buffer.alloc(0)
    }
  }
  const log = () => lastLog ?? wholeLog().subarray(-logMaxBytes).toString()
  const failed = (why: string, cause?: Error) =>
    new Error(
      `${plan.name} did not start: ${why}; its log ends with\n${log().trimEnd().split('\n').slice(-shownLines).join('\n')}`,
      { cause },
    )

  async function run(command: Command, folderToRemove?: string) {
    const logFd = openSync(logFile, 'a')
    try {
      return await spawnGuarded(command, folder, logFd, folderToRemove)
    } catch (error) {
      throw failed((error as Error).message, error as Error)
    } finally {
      closeSync(logFd)
    }
  }

  async function start() {
    if (lastLog !== undefined) throw new Error(`${plan.name} has been stopped`)
    if (plan.companion && !companion?.running()) companion = await run(plan.companion(place))
    runStart = wholeLog().length
    main = await run(plan.command(place), folder)
    const deadline = performance.now() + plan.readyMs
    while (!(plan.ready.test(wholeLog().subarray(runStart).toString()) && (await plan.probe(place)))) {
      if (!main.running()) throw failed('it has ended')
      if (performance.now() > deadline) throw failed(`it does not answer after ${plan.readyMs} ms`)
      await sleep(25)
    }
  }

  const server: Server = {
    name: plan.name,
    url: plan.url(place),
    get pid() {
      return main?.pid ?? 0
    },
    log,
    async stop() {
      if (lastLog !== undefined) return
      lastLog = log()
      await main?.end()
      await companion?.end()
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    },
    async kill() {
      await main?.kill()
      await plan.killed?.(place)
    },
    async restart() {
      await main?.quit(plan.quitSignal, quitMs)
      await start()
    },
    async wipe() {
      if (main) await server.kill()
      rmSync(data, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
      mkdirSync(data, { mode: 0o700 })
      if (plan.user) await chown(data, plan.user.uid, plan.user.gid)
      await plan.prepare?.(place)
      await start()
    },
    pause: () => main?.freeze(),
    resume: () => main?.thaw(),
    [Symbol.asyncDispose]: () => server.stop(),
  }
  return server
}
