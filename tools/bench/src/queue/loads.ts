import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext, Contestant } from '../bench.ts'
import { closedLoop } from '../closed-loop.ts'
import { body } from './message.ts'
import { amqplib, type OpenSystem, type System } from './systems.ts'

/** A number of callers that each wait for the confirmation of one message before the next. */
export const publishing =
  (open: OpenSystem, callers: number): Contestant =>
  async (context) => {
    await using system = await open(context)
    const call = (_: number, index: number) => system.publish(body, index)
    const { answeredPerSec, p99Ms } = await closedLoop(context, { callers, call })
    return { answeredPerSec, p99Ms }
  }

/** How fast a full queue is emptied by a handler that does nothing. */
export const emptying =
  (open: OpenSystem, prefetch: number): Contestant =>
  async (context) => {
    await using system = await open(context)
    const count = context.quick ? 5_000 : 40_000
    for (let sent = 0; sent < count; sent += 1_000) {
      await Promise.all(Array.from({ length: 1_000 }, (_, at) => system.publish(body, sent + at)))
    }
    const start = performance.now()
    let left = count
    await new Promise<void>((resolve) => void system.consume(prefetch, () => --left === 0 && resolve()))
    return { handledPerSec: (count / (performance.now() - start)) * 1e3 }
  }

let halfOfAmqplib: Promise<number> | undefined

/** Half of what amqplib brings through the broker at most, measured once and then the same for all. */
function ratePerSec(context: BenchContext): Promise<number> {
  halfOfAmqplib ??= (async () => {
    await using system = await amqplib(context)
    let handled = 0
    await system.consume(1_000, () => handled++)
    const call = (_: number, index: number) => system.publish(body, index)
    const { answeredPerSec } = await closedLoop(context, { callers: 256, call })
    return answeredPerSec / 2
  })()
  return halfOfAmqplib
}

/** From the moment at which a message is due to its handler, at a given rate with random arrivals. */
export const endToEnd =
  (open: OpenSystem): Contestant =>
  async (context) => {
    const offeredPerSec = await ratePerSec(context)
    await using system = await open(context)
    const microseconds = createHistogram({ figures: 3 })
    let handled = 0
    await system.consume(1_000, ({ dueMs }) => {
      microseconds.record(Math.max(1, Math.round((performance.now() - dueMs!) * 1e3)))
      handled++
    })
    const arrivals = arrivalsMs(context, offeredPerSec / 1e3)
    await offer(system, arrivals)
    while (handled < arrivals.length) await sleep(1)
    return { p50Ms: microseconds.percentile(50) / 1e3, p99Ms: microseconds.percentile(99) / 1e3, offeredPerSec }
  }

function arrivalsMs({ random, durationMs }: BenchContext, perMs: number): number[] {
  const arrivals: number[] = []
  for (let at = 0; at < durationMs; at += -Math.log(1 - random.next()) / perMs) arrivals.push(at)
  return arrivals
}

async function offer(system: System, arrivals: readonly number[]): Promise<void> {
  const start = performance.now()
  const answers: Promise<unknown>[] = []
  while (answers.length < arrivals.length) {
    const elapsed = performance.now() - start
    for (let at = arrivals[answers.length]!; at <= elapsed; at = arrivals[answers.length]!) {
      answers.push(system.publish({ ...body, dueMs: start + at }, answers.length))
    }
    await sleep(1)
  }
  await Promise.all(answers)
}
