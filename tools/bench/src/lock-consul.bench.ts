import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLocks } from '@headrace/lock'
import { consulLocks } from '@headrace/lock/consul'
import Consul from 'consul'
import { type Bench, type BenchContext, type Contestant, defineBench } from './bench.ts'
import { closedLoop } from './closed-loop.ts'
import { openApiLocks } from './lock-consul/api-lock.ts'
import { countRequests } from './lock-consul/requests.ts'

/** What a contender uses, by the side it is on. */
interface Contender {
  withLock(key: string, work: () => Promise<void>): Promise<unknown>
  close(): Promise<void>
}

type Open = (context: BenchContext) => Promise<Contender>

const sessions = 4
const contendersEach = 8

const ours =
  (handoverMax: number): Open =>
  async (context) =>
    createLocks(consulLocks(context.url('consul')), { handoverMax, waitMs: 60_000 })

const npmClient = (context: BenchContext) => {
  const { hostname, port } = new URL(context.url('consul'))
  return new Consul({ host: hostname, port: Number(port) })
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** One key, wanted by contenders of several sessions, each of whom has a mutex or a line of its own in front. */
const contended =
  (open: Open, sectionMs: number, each = contendersEach): Contestant =>
  async (context) => {
    const all = await Promise.all(Array.from({ length: sessions * (contendersEach / each) }, () => open(context)))
    const key = randomUUID()
    const requests = countRequests()
    const turns = new Array<number>(sessions * contendersEach).fill(0)
    const durationMs = context.durationMs * 2
    const end = performance.now() + durationMs
    // Who waits or sleeps at the end, as api/lock.go does for seconds after a race, is not waited for.
    const over = sleep(durationMs)
    // The first quarter, in which sessions are opened and the line forms, is not counted.
    const first = { requests: 0, turns: 0 }
    void sleep(durationMs / 4).then(() => {
      first.requests = requests.count
      first.turns = sum(turns)
    })
    try {
      const { p99Ms } = await closedLoop(context, {
        durationMs,
        callers: turns.length,
        call(caller) {
          const turn = all[caller % all.length]!.withLock(key, async () => {
            if (performance.now() < end) turns[caller]!++
            if (sectionMs > 0) await sleep(sectionMs)
          })
          const failed = (error: unknown) => {
            if (performance.now() < end) throw error
          }
          return Promise.race([turn.catch(failed), over])
        },
      })
      const total = sum(turns)
      return {
        acquiredPerSec: (total / durationMs) * 1_000,
        waitP99Ms: p99Ms,
        jain: total ** 2 / (turns.length * sum(turns.map((count) => count ** 2))),
        requestsEach: (requests.count - first.requests) / (total - first.turns),
      }
    } finally {
      requests.stop()
      await Promise.all(all.map((one) => one.close()))
    }
  }

/** Keys that nobody else wants. */
const free =
  (open: Open, callers: number): Contestant =>
  async (context) => {
    const locks = await open(context)
    const run = randomUUID()
    try {
      await locks.withLock(`${run}-warm`, async () => {})
      const before = process.cpuUsage()
      let pairs = 0
      const { answeredPerSec, p99Ms } = await closedLoop(context, {
        callers,
        call: (caller) => {
          pairs++
          return locks.withLock(`${run}-${caller}`, async () => {})
        },
      })
      const { user, system } = process.cpuUsage(before)
      return { pairsPerSec: answeredPerSec, p99Ms, clientCpuUs: (user + system) / pairs }
    } finally {
      await locks.close()
    }
  }

const throughNpm: Open = async (context) => createLocks(consulLocks(npmClient(context)))

/** What one writes by hand with the client: no order, no fencing token used, nobody waits. */
const byHand: Open = async (context) => {
  const client = npmClient(context)
  const { ID } = (await client.session.create({ ttl: '60s', lockdelay: '0s' })) as { ID: string }
  return {
    async withLock(key, work) {
      await client.kv.set({ key: `bench/${key}`, value: 'held', acquire: ID })
      await work()
      await client.kv.set({ key: `bench/${key}`, value: '', release: ID })
    },
    async close() {
      await client.session.destroy(ID)
      client.destroy()
    },
  }
}

const apiLock =
  (sleepMs?: number): Open =>
  (context) =>
    openApiLocks(context.url('consul'), sleepMs)

const freeCase = (callers: number) => ({
  name: `free keys, ${callers} at a time`,
  metrics: { pairsPerSec: '1/s', p99Ms: 'ms', clientCpuUs: 'µs' },
  ours: free(ours(16), callers),
  peers: { 'ours, npm client': free(throughNpm, callers), 'npm client by hand': free(byHand, callers) },
})

const bench: Bench = defineBench({
  about:
    'Locks on one Consul server with its data on disk: one key wanted by 32 contenders, and free keys. api/lock.go is its algorithm, not its code.',
  servers: ['consul'],
  cases: [
    {
      name: 'one key, 32 contenders, 1 ms section',
      metrics: { acquiredPerSec: '1/s', waitP99Ms: 'ms', jain: '', requestsEach: '' },
      ours: contended(ours(16), 1),
      peers: {
        'ours, strict order': contended(ours(0), 1),
        'api/lock.go': contended(apiLock(), 1, 1),
        'api/lock.go, no sleep': contended(apiLock(0), 1, 1),
      },
    },
    freeCase(1),
    freeCase(16),
  ],
})

export default bench
