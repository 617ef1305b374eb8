import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { randomBelow, seededRandom } from '@headrace/core'
import { startRedis } from '@headrace/stack'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { freshPrefix } from './redis-setup.ts'

// The long run: HEADRACE_ROUNDS=10000 HEADRACE_SEED=7 pnpm --filter @headrace/lock test-servers redis-nemesis
const rounds = Number(process.env['HEADRACE_ROUNDS'] ?? 30)
const seed = Number(process.env['HEADRACE_SEED'] ?? 1)

it(
  `no update is lost in ${rounds} rounds of stopped and killed processes and a lock server that forgets (seed ${seed})`,
  async () => {
    await using lockServer = await startRedis({ appendOnly: false })
    await using resourceServer = await startRedis({ appendOnly: false })
    const random = seededRandom(seed)
    const prefix = freshPrefix()
    const seen = { written: 0, stale: 0, failed: 0, unsure: 0 }
    const resource = new Redis(resourceServer.url)
    const control = new Redis(lockServer.url, { maxRetriesPerRequest: 1 })
    control.on('error', () => {})

    const start = () => {
      const options = {
        lockUrl: lockServer.url,
        resourceUrl: resourceServer.url,
        prefix,
        handoverMax: randomBelow(random, 2) * 8,
      }
      const script = fileURLToPath(new URL('counter-worker.ts', import.meta.url))
      const child = spawn(process.execPath, ['--conditions=@headrace/source', script, JSON.stringify(options)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      // A write that was sent and not answered before the process died may have happened.
      let writing = 0
      createInterface({ input: child.stdout }).on('line', (line) => {
        const { type } = JSON.parse(line) as { type: 'writing' | 'written' | 'stale' | 'failed' }
        if (type === 'writing') writing++
        else {
          seen[type]++
          if (type === 'written') writing--
          else if (type === 'stale' && writing > 0) writing--
        }
      })
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
      return {
        child,
        async end() {
          child.kill('SIGKILL')
          await ended
          seen.unsure += writing
        },
      }
    }
    const stop = async (child: ChildProcess, ms: number) => {
      child.kill('SIGSTOP')
      await sleep(ms)
      child.kill('SIGCONT')
    }

    const workers = [start(), start(), start()]
    while (seen.written === 0) await sleep(20)
    for (let round = 0; round < rounds; round++) {
      const at = randomBelow(random, workers.length)
      switch (randomBelow(random, 8)) {
        case 0:
          await workers[at]!.end()
          workers[at] = start()
          break
        case 1:
          await control.flushall().catch(() => {})
          break
        case 2:
          lockServer.pause()
          await sleep(random.next() * 600)
          lockServer.resume()
          break
        case 3:
          await lockServer.kill()
          await lockServer.restart()
          break
        case 4:
          await control.call('CLIENT', 'KILL', 'TYPE', 'pubsub').catch(() => {})
          break
        default:
          await stop(workers[at]!.child, 100 + random.next() * 700)
      }
      await sleep(random.next() * 150)
    }
    await sleep(1_000)
    await Promise.all(workers.map((worker) => worker.end()))

    const value = Number(await resource.get(`${prefix}:value`))
    const tokens = (await resource.lrange(`${prefix}:writes`, 0, -1)).map(BigInt)
    control.disconnect()
    resource.disconnect()
    expect(tokens.length).toBe(value)
    expect(value).toBeGreaterThanOrEqual(seen.written)
    expect(value).toBeLessThanOrEqual(seen.written + seen.unsure)
    // Each lease writes once, so at the resource the tokens grow from write to write.
    for (const [at, token] of tokens.entries()) if (at > 0) expect(token).toBeGreaterThan(tokens[at - 1]!)
    expect(seen.written).toBeGreaterThan(rounds)
  },
  60_000 + rounds * 3_000,
)
