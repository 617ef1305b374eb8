import { HeadraceError, isHeadraceError, type Random, randomBelow, seededRandom } from '@headrace/core'
import { type ManualClock, manualClock, recordHistory } from '@headrace/core/testing'
import { createLocks, type LockDriver } from '@headrace/lock'
import { memoryLocks } from '@headrace/lock/memory'
import { createWriter, type Receipt, type Store, type Writer } from '@headrace/writer'
import { memoryStore } from '@headrace/writer/memory'
import { type Account, moody, opened, poison, type Spend, type Spent, spend } from './account.ts'
import { type Evidence, type Input, type StoreEffect, violations } from './checker.ts'
import { createNemesis, type Plan, type Process } from './nemesis.ts'

export interface Scenario {
  readonly seed: number
  readonly plan: Plan
  readonly clients: number
  readonly writes: number
  readonly partitions?: number
  readonly locked?: boolean
  /** Breaks the store, to see that the checker finds it. */
  readonly tamper?: (store: Store, clock: ManualClock) => Store
}

interface Owner extends Process {
  readonly writer: Writer<Account, Spend, Spent>
  readonly died: PromiseWithResolvers<never>
}

const storeTimeoutMs = 200
const keys = ['ant', 'bee', 'cat']

/** Lets clients write through processes that fail by plan, in virtual time, and says what was wrong with what came of it. */
export async function simulate(scenario: Scenario): Promise<{ found: string[]; steps: number; evidence: Evidence }> {
  const { seed, clients, writes, partitions = 1, locked = false, tamper = (store) => store } = scenario
  const clock = manualClock()
  const random = seededRandom(seed)
  const history = recordHistory<Input, Receipt<Spent>>(clock)
  const effects: StoreEffect[] = []
  const published: { id: string; key: string; body: number }[] = []
  const store = journal(tamper(memoryStore(), clock), effects)
  const lockDriver = memoryLocks({ clock })
  const owners: Owner[] = []
  let plan = scenario.plan
  const nemesis = createNemesis({
    clock,
    lateMs: storeTimeoutMs * 1.5,
    plan: (step, method) => plan(step, method),
    crash(process) {
      const owner = owners.find((each) => each === process)!
      owner.alive = false
      owner.died.reject(new Error('connection reset'))
      begin()
    },
    takeOver: begin,
  })

  function begin(): Owner {
    const died = Promise.withResolvers<never>()
    died.promise.catch(() => {})
    const process = { alive: true, died } as { -readonly [Name in keyof Owner]: Owner[Name] }
    const own = seededRandom(seed * 1_000 + owners.length)
    const options = { clock, random: own, ttlMs: 1_000, waitMs: 500 }
    process.writer = createWriter<Account, Spend, Spent, number>({
      name: 'sim',
      ...{ initial: opened, decide: spend, store: nemesis.storeOf(process, store), partitions, clock, random: own },
      ...{ batchMax: 3, statesMax: 2, receiptsMax: 2, storeTimeoutMs, drainMs: 2_000 },
      locks: locked ? createLocks(mortal(lockDriver, process), options) : undefined,
      queue: {
        publish: (body, { key, id }) =>
          nemesis.step(process, 'publish', async () => {
            published.push({ id, key, body })
          }),
      },
    })
    owners.push(process)
    return process
  }

  async function send(owner: Owner, { id, key, amount }: Input, deadlineMs: number, signal?: AbortSignal) {
    if (!owner.alive) throw new Error('connection refused')
    return await Promise.race([owner.writer.write(key, { amount }, { id, deadlineMs, signal }), owner.died.promise])
  }

  async function client(name: number, own: Random): Promise<void> {
    const chance = (share: number) => own.next() < share
    for (let at = 0; at < writes; at++) {
      const amount = chance(0.05) ? poison : chance(0.15) ? moody : 1 + randomBelow(own, 9)
      const input = { id: `${name}-${at}`, key: keys[randomBelow(own, keys.length)]!, amount }
      // Some callers have not heard that there is another owner by now.
      const route = () => (chance(0.3) ? owners[randomBelow(own, owners.length)]! : owners.at(-1)!)
      const attempt = () => {
        const controller = new AbortController()
        if (chance(0.1)) clock.after(own.next() * 100, () => controller.abort())
        const owner = route()
        const deadlineMs = 50 + own.next() * 1_000
        return history.record(name, input, () => send(owner, input, deadlineMs, controller.signal))
      }
      for (let attempts = 0; attempts < 30; attempts++) {
        const ends = await Promise.allSettled(chance(0.2) ? [attempt(), attempt()] : [attempt()])
        if (ends.some((end) => end.status === 'fulfilled')) break
        const errors = ends.map((end) => (end as PromiseRejectedResult).reason as unknown)
        if (errors.some((error) => isHeadraceError(error, 'REJECTED'))) break
        // Who was told that nothing happened may leave it at that, and then nothing must have.
        if (errors.every((error) => error instanceof HeadraceError && mayGiveUp.has(error.code)) && chance(0.3)) break
        await clock.sleep(5 + own.next() * 100)
      }
      await clock.sleep(own.next() * 20)
    }
  }

  async function story(): Promise<Evidence> {
    begin()
    await Promise.all(Array.from({ length: clients }, (_, at) => client(at, seededRandom(seed * 7_919 + at + 1))))
    // Peace from here on. What is still on its way arrives, and a last owner is asked for every outcome that is open.
    plan = () => undefined
    await clock.sleep(3_000)
    // An owner that runs on keeps its lease until it closes.
    await Promise.all(owners.map(({ writer, alive }) => writer.close(alive ? {} : { signal: AbortSignal.abort() })))
    const last = begin()
    const inputs = new Map(history.operations.map(({ input }) => [input.id, input]))
    for (const [id, input] of inputs) {
      const closed = history.operations.every((each) => each.input.id !== id || each.outcome.type === 'fail')
      if (!closed) await history.record('audit', input, () => send(last, input, 60_000)).catch(() => {})
    }
    // A write in each partition makes the last owner look after the events of all before it.
    for (const key of keys) await last.writer.write(key, { amount: poison }).catch(() => {})
    await last.writer.close()
    const stored = await (await store.open('sim', partitions)).load(keys, [...inputs.keys()])
    return { operations: history.operations, stored, effects, published }
  }

  const running = story()
  let evidence: Evidence | undefined
  let failure: unknown
  running.then(
    (value) => {
      evidence = value
    },
    (error: unknown) => {
      failure = error
    },
  )
  while (!evidence && !failure && clock.nowMs() < 600_000) await clock.advance(random.next() + 10)
  if (failure) throw failure
  if (!evidence) throw new Error('the story did not end')
  return { found: violations(evidence), steps: nemesis.steps, evidence }
}

const mayGiveUp: ReadonlySet<string> = new Set(['BUSY', 'UNAVAILABLE', 'STALE'])

/** Notes what took effect at the store. */
function journal(store: Store, effects: StoreEffect[]): Store {
  return {
    async open(name, partitions) {
      const good = await store.open(name, partitions)
      return {
        ...good,
        async seal(partition, token) {
          const sealed = await good.seal(partition, token)
          if (sealed !== null) effects.push({ type: 'sealed', partition, token: sealed })
          return sealed
        },
        async commit(batch) {
          const outcome = await good.commit(batch)
          const { partition, token } = batch
          if (outcome.type === 'committed') effects.push({ type: 'committed', partition, token })
          return outcome
        },
      }
    },
  }
}

/** The locks of a process: with it they fall silent, and its leases end when their ttl does. */
function mortal(driver: LockDriver, process: Process): LockDriver {
  return {
    ...driver,
    open(events) {
      const session = driver.open(events)
      const unlessDead = <Args extends unknown[], Value>(call: (...args: Args) => Promise<Value>) => {
        return (...args: Args) => (process.alive ? call(...args) : new Promise<Value>(() => {}))
      }
      return {
        acquire: unlessDead(session.acquire),
        renew: unlessDead(session.renew),
        release: unlessDead(session.release),
        inspect: unlessDead(session.inspect),
        evict: unlessDead(session.evict),
        close: unlessDead(session.close),
      }
    },
  }
}
