import { type BalancerEvent, type BalancerOptions, createBalancer, leastLoaded } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

type Check = NonNullable<BalancerOptions['healthCheck']>['check']

/** Endpoints of which `sick` do not pass; rounds of a second on average. */
function fleet(count: number, options: { healthCheck?: object; ejection?: object; seed?: number; check?: Check } = {}) {
  const clock = manualClock()
  const events: BalancerEvent[] = []
  const sick = new Set<string>()
  const asked: { id: string; atMs: number }[] = []
  const check: Check = ({ id }, signal) => {
    asked.push({ id, atMs: clock.nowMs() })
    if (options.check) return options.check({ id } as never, signal)
    if (sick.has(id)) throw new Error(`${id} is sick`)
    return undefined
  }
  const discovery = pushedDiscovery(fresh(...Array.from({ length: count }, (_, index) => `${index}`)))
  const balancer = createBalancer(discovery, {
    policy: leastLoaded(),
    clock,
    random: seededRandom(options.seed ?? 1),
    slowStartMs: 0,
    ejection: { failures: 3, pauseMinMs: 4_000, pauseMaxMs: 4_000, ...options.ejection },
    healthCheck: { check, intervalMs: 1_000, timeoutMs: 100, ...options.healthCheck },
    observe: (event) => void events.push(event),
  })
  const health = () => balancer.stats().endpoints.map((it) => it.health)
  return {
    clock,
    events,
    sick,
    asked,
    discovery,
    balancer,
    health,
    [Symbol.asyncDispose]: async () => void (await balancer.close()),
  }
}

describe('health checks', () => {
  it('put out an endpoint that has no work, and take it back when it is well again after its pause', async () => {
    await using it = fleet(3)
    it.sick.add('0')
    await it.clock.advance(6_000)
    expect(it.health()).toEqual(['out', 'in', 'in'])
    expect(it.events.filter(({ type }) => type === 'check-failed').length).toBeGreaterThanOrEqual(3)
    expect(it.events.find(({ type }) => type === 'ejected')).toMatchObject({ endpoint: '0', why: 'checks' })
    it.sick.clear()
    await it.clock.advance(6_000)
    expect(it.health()).toEqual(['in', 'in', 'in'])
    expect(it.events.at(-1)).toEqual({ type: 'readmitted', endpoint: '0' })
  })

  it('are the probe of one that is still sick after its pause, which begins anew', async () => {
    await using it = fleet(3)
    it.sick.add('0')
    await it.clock.advance(20_000)
    expect(it.events.filter(({ type }) => type === 'ejected').map((event) => 'why' in event && event.why)).toEqual(
      expect.arrayContaining(['checks', 'probe']),
    )
    expect(it.events.some(({ type }) => type === 'readmitted')).toBe(false)
  })

  it('do not shorten a pause', async () => {
    await using it = fleet(3, { ejection: { pauseMinMs: 60_000, pauseMaxMs: 60_000 } })
    for (let failure = 0; failure < 3; failure++) it.balancer.pick({ exclude: new Set(['1', '2']) })!.done('failure')
    await it.clock.advance(20_000)
    expect(it.health()).toEqual(['out', 'in', 'in'])
  })

  it('take a check that hangs for one that failed, tell it so, and begin no second one beside it', async () => {
    const stopped: unknown[] = []
    await using it = fleet(2, {
      check: ({ id }, signal) => {
        if (id === '1') return true
        signal.addEventListener('abort', () => stopped.push(signal.reason))
        return new Promise(() => {})
      },
    })
    await it.clock.advance(6_000)
    expect(it.health()).toEqual(['out', 'in'])
    expect(it.asked.filter(({ id }) => id === '0').length).toBe(1)
    expect(stopped).toMatchObject([{ code: 'TIMEOUT' }])
    expect(it.asked.filter(({ id }) => id === '1').length).toBeGreaterThan(3)
  })

  it.each<[string, Check]>([
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no'))],
    ['gives false', () => false],
    ['gives a promise of false', async () => false],
  ])('take one that %s for failed', async (_, check) => {
    await using it = fleet(2, { check: (endpoint, signal) => (endpoint.id === '0' ? check(endpoint, signal) : true) })
    await it.clock.advance(6_000)
    expect(it.health()).toEqual(['out', 'in'])
  })

  it('leave at least half in, whatever they say', async () => {
    await using it = fleet(6)
    for (const id of ['0', '1', '2', '3', '4', '5']) it.sick.add(id)
    await it.clock.advance(6_000)
    expect(it.health().filter((health) => health === 'in').length).toBe(3)
    expect(it.balancer.pick()!.done('ignored')).toBe(true)
  })

  it('do not hide that work fails, and work does not hide that they do', async () => {
    await using it = fleet(4)
    it.sick.add('1')
    const workAt = (id: string) =>
      it.balancer.pick({ exclude: new Set(['0', '1', '2', '3'].filter((other) => other !== id)) })
    for (let turn = 0; turn < 8; turn++) {
      // So seldom that a check passes in between.
      workAt('0')?.done('failure')
      workAt('1')?.done('success')
      await it.clock.advance(1_500)
    }
    const ejected = it.events.flatMap((event) => (event.type === 'ejected' ? [`${event.endpoint} ${event.why}`] : []))
    expect(ejected).toEqual(expect.arrayContaining(['0 failures', '1 checks']))
  })

  it('say nothing of the load', async () => {
    await using it = fleet(2)
    it.sick.add('0')
    await it.clock.advance(10_000)
    for (const endpoint of it.balancer.stats().endpoints) {
      expect(endpoint).toMatchObject({ inFlight: 0, succeeded: 0, failed: 0, ignored: 0 })
    }
  })

  it('ask so many at once and no more, and everybody', async () => {
    let running = 0
    let most = 0
    const clocks: { sleep?: (ms: number) => Promise<void> } = {}
    await using it = fleet(20, {
      healthCheck: { concurrency: 3 },
      check: async () => {
        most = Math.max(most, ++running)
        await clocks.sleep!(10)
        running--
      },
    })
    clocks.sleep = it.clock.sleep
    await it.clock.advance(1_700)
    expect(most).toBe(3)
    expect(new Set(it.asked.map(({ id }) => id)).size).toBe(20)
  })

  it('come at other times in every client, once in the interval on average', async () => {
    const roundsOf = async (seed: number) => {
      await using it = fleet(1, { seed })
      await it.clock.advance(100_000)
      return it.asked.map(({ atMs }) => atMs)
    }
    const [one, other] = [await roundsOf(1), await roundsOf(2)]
    expect(one.length).toBeGreaterThan(80)
    expect(one.length).toBeLessThan(120)
    expect(one.filter((atMs) => other.includes(atMs))).toEqual([])
    const pauses = one.slice(1).map((atMs, index) => atMs - one[index]!)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(500)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1_500)
  })

  it('ask those that are on the list, and nobody of weight 0', async () => {
    await using it = fleet(1)
    it.discovery.push({ state: 'fresh', endpoints: [{ address: 'new' }, { address: 'drained', weight: 0 }] })
    await it.clock.settle()
    await it.clock.advance(5_000)
    expect(new Set(it.asked.map(({ id }) => id))).toEqual(new Set(['new']))
  })

  it('have nothing to say of one that leaves while it is asked', async () => {
    let answer: (isWell: boolean) => void = () => {}
    await using it = fleet(3, {
      ejection: { failures: 1 },
      healthCheck: { timeoutMs: 60_000 },
      check: ({ id }) =>
        id !== '0' ||
        new Promise<boolean>((resolve) => {
          answer = resolve
        }),
    })
    await it.clock.advance(1_500)
    it.discovery.push(fresh('1', '2'))
    await it.clock.settle()
    answer(false)
    await it.clock.settle()
    expect(it.events.some(({ type }) => type === 'ejected')).toBe(false)
  })

  it('end with the balancer, which tells the check under way', async () => {
    let signal: AbortSignal | undefined
    const it = fleet(1, {
      check: (_, given) => {
        signal = given
        return new Promise(() => {})
      },
    })
    while (!signal) await it.clock.advance(100)
    await it.balancer.close()
    expect(signal.aborted).toBe(true)
    await it.clock.settle()
    expect(it.clock.pending).toBe(0)
    expect(it.events.some(({ type }) => type === 'check-failed')).toBe(false)
  })

  it('are refused with a bad option, which is named', () => {
    const check = () => true
    const make = (options: object) => () => createBalancer(pushedDiscovery(fresh('a')), options)
    expect(make({ healthCheck: {} })).toThrow('healthCheck.check')
    expect(make({ healthCheck: { check, intervalMs: 0 } })).toThrow('healthCheck.intervalMs')
    expect(make({ healthCheck: { check, timeoutMs: Number.NaN } })).toThrow('healthCheck.timeoutMs')
    expect(make({ healthCheck: { check, concurrency: 0.5 } })).toThrow('healthCheck.concurrency')
    expect(make({ healthCheck: { check }, ejection: false })).toThrow('healthCheck needs ejection')
  })
})
