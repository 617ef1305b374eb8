import { isHeadraceError } from '@headrace/core'
import { createQueue, type QueueEvent } from '@headrace/queue'
import { type Server, startRabbitmq } from '@headrace/stack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { options } from './rabbitmq-history.ts'
import { driverAt, until } from './rabbitmq-set-up.ts'

const limitMs = 120_000
let server: Server

describe('a RabbitMQ that stands still', { timeout: limitMs }, () => {
  beforeAll(async () => {
    server = await startRabbitmq()
  }, limitMs)
  afterAll(() => server.stop(), limitMs)

  it('hazard 7: has each publish end at its deadline, perhaps stored, alone or in a frame', async () => {
    const queue = createQueue<number>(driverAt(server.url), 'silent', { ...options, partitions: 1, publishMs: 1_000 })
    await queue.publish(0)
    server.pause()
    const bodies = Array.from({ length: 20 }, (_, at) => at + 1)
    const results = await Promise.allSettled(bodies.map((body) => queue.publish(body, { id: `id-${body}` })))
    server.resume()
    for (const [at, result] of results.entries()) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'TIMEOUT' } })
      expect(String((result as PromiseRejectedResult).reason)).toContain(`"id-${at + 1}"`)
    }
    const seen: number[] = []
    queue.consume(({ body }) => seen.push(body), { concurrency: 1 })
    await until(() => seen.length >= 21, 'all were stored after all')
    expect(seen).toEqual([0, ...bodies])
    await queue.close()
  })
})

describe('a RabbitMQ that is short of memory', { timeout: limitMs }, () => {
  beforeAll(async () => {
    server = await startRabbitmq({ settings: ['vm_memory_high_watermark.absolute = 1MB'] })
  }, limitMs)
  afterAll(() => server.stop(), limitMs)

  it('hazard 9: has publishers refused at once after the first, and answers everybody else', async () => {
    const events: QueueEvent[] = []
    const observe = (event: QueueEvent) => events.push(event)
    const driver = driverAt(server.url)
    const queue = createQueue<number>(driver, 'alarm', { ...options, publishMs: 1_000, callMs: 5_000, observe })
    // The broker says that it blocks when it is given the first message; that one it keeps waiting.
    await expect(queue.publish(0)).rejects.toMatchObject({ code: 'TIMEOUT' })
    for (let body = 1; body < 100; body++) {
      await expect(queue.publish(body)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
    queue.consume(() => {})
    await until(() => events.filter(({ type }) => type === 'subscribed').length === 2, 'the consumer subscribes')
    expect(await queue.stats()).toMatchObject({ depth: 0, unconfirmed: 1 })
    expect(await queue.deadLetters.list()).toEqual([])
    await queue.close()
  })

  it('hazards 9 and 17: has a flood refused with a code for each message, and holds no more of it than the window', async () => {
    const windowMax = 5_000
    const queue = createQueue<string>(driverAt(server.url), 'flood', { ...options, publishMs: 1_000, windowMax })
    await queue.open()
    const codes = new Map<string, number>()
    const publish = async () => {
      const error: unknown = await queue.publish('x'.repeat(1_000)).catch((error: unknown) => error)
      const code = isHeadraceError(error) ? error.code : String(error)
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
    let unconfirmedMax = 0
    const flood: Promise<void>[] = []
    for (let burst = 0; burst < 40; burst++) {
      for (let n = 0; n < 1_000; n++) flood.push(publish())
      unconfirmedMax = Math.max(unconfirmedMax, (await queue.stats()).unconfirmed)
    }
    await Promise.all(flood)
    const { TIMEOUT = 0, ...refused } = Object.fromEntries(codes)
    expect(unconfirmedMax).toBeLessThanOrEqual(windowMax)
    expect(TIMEOUT).toBeLessThanOrEqual(windowMax)
    expect(Object.keys(refused).every((code) => code === 'BUSY' || code === 'UNAVAILABLE')).toBe(true)
    expect(TIMEOUT + Object.values(refused).reduce((sum, count) => sum + count, 0)).toBe(40_000)
    await queue.close()
  })
})
