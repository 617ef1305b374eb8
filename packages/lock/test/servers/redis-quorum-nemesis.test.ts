import { setTimeout as sleep } from 'node:timers/promises'
import { isHeadraceError, randomBelow, retry, seededRandom } from '@headrace/core'
import { createLocks } from '@headrace/lock'
import { redisQuorumLocks } from '@headrace/lock/redis-quorum'
import { expect, it } from 'vitest'
import { startQuorum } from './quorum-setup.ts'

const runMs = 15_000
const ttlMaxMs = 1_000

/** A counter that refuses who is behind, already when it reads. */
function fencedCounter() {
  let sealed = 0n
  let value = 0
  const check = (token: bigint) => {
    if (token < sealed) throw new Error('stale')
    sealed = token
  }
  return {
    read(token: bigint) {
      check(token)
      return value
    },
    write(token: bigint, next: number) {
      check(token)
      value = next
    },
    get value() {
      return value
    },
  }
}

it('no update is lost and tokens grow while nodes are killed, paused, emptied and restarted', async () => {
  const seed = Number(process.env['HEADRACE_SEED'] ?? Date.now() % 1e9)
  console.log(`HEADRACE_SEED=${seed}`)
  const random = seededRandom(seed)
  await using quorum = await startQuorum(ttlMaxMs)
  const drivers = [0, 1].map(() => redisQuorumLocks(quorum.clients(), { ttlMaxMs, nodeMs: 200, claimMs: 300 }))
  const sessions = drivers.map((driver) => createLocks(driver, { ttlMs: 1_000, callMs: 800, handoverMax: 3 }))
  // The first connections of a busy machine can take longer than a node may.
  await retry(() => Promise.all(sessions.map((locks) => locks.withLock('first', () => {}))), { attempts: 10 })
  const counter = fencedCounter()
  const tokens: bigint[] = []
  const refused: unknown[] = []
  let done = 0
  let together = 0
  let holders = 0
  let running = true

  const caller = async (at: number) => {
    while (running) {
      try {
        await using lease = await sessions[at % 2]!.acquire('counter', { waitMs: 4_000 })
        tokens.push(lease.token)
        holders++
        together = Math.max(together, holders)
        const leave = () => {
          holders--
        }
        lease.signal.addEventListener('abort', leave, { once: true })
        const value = counter.read(lease.token)
        await sleep(random.next() * 4)
        if (lease.held) {
          counter.write(lease.token, value + 1)
          done++
        }
        lease.signal.removeEventListener('abort', leave)
        if (!lease.signal.aborted) holders--
      } catch (error) {
        if (!isHeadraceError(error)) throw error
        refused.push(error.code)
        await sleep(20)
      }
    }
  }
  // One node at a time is out; the next one only when it votes again.
  const nemesis = async () => {
    const faults: string[] = []
    const endMs = performance.now() + runMs
    while (performance.now() < endMs) {
      const node = randomBelow(random, 3)
      const server = quorum.servers[node]!
      const fault = (['pause', 'kill', 'wipe'] as const)[randomBelow(random, 3)]!
      faults.push(`${fault} ${node}`)
      if (fault === 'pause') {
        server.pause()
        await sleep(100 + random.next() * 1_400)
        server.resume()
        await sleep(200)
      } else {
        if (fault === 'kill') {
          await server.kill()
          await sleep(random.next() * 500)
          await server.restart()
        } else await server.wipe()
        await sleep(ttlMaxMs + 1_300)
      }
    }
    running = false
    return faults
  }
  const callers = Array.from({ length: 16 }, (_, at) => caller(at))
  const faults = await nemesis()
  await Promise.all(callers)
  await Promise.all(sessions.map((locks) => locks.close()))

  console.log(`${done} updates, ${refused.length} refusals ${[...new Set(refused)]}, faults: ${faults.join(', ')}`)
  expect(counter.value).toBe(done)
  expect(together).toBe(1)
  for (let n = 1; n < tokens.length; n++)
    expect(tokens[n]! > tokens[n - 1]!, `${tokens[n]} after ${tokens[n - 1]}`).toBe(true)
  expect(done).toBeGreaterThan(300)
  expect(refused.length).toBeLessThan(64)
}, 60_000)
