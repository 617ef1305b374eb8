import { readdirSync, readFileSync } from 'node:fs'
import {
  createBalancer,
  leastLoaded,
  little,
  type Policy,
  roundRobin,
  staticEndpoints,
  twoChoices,
} from '@headrace/balancer'
import { HeadraceError, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

function fleet(policy: Policy, count: number) {
  const clock = manualClock()
  const discovery = pushedDiscovery(fresh(...names(count)))
  const balancer = createBalancer(discovery, { policy, clock, random: seededRandom(1) })
  return { clock, discovery, balancer }
}

const policies = [little(), leastLoaded(), twoChoices(), roundRobin()]

describe.each(policies)('with $name', (policy) => {
  it('a fleet of which everything fails goes on being tried, spread over what is left', async () => {
    const { clock, balancer } = fleet(policy, 10)
    const tried = new Map<string, number>()
    for (let turn = 0; turn < 500; turn++) {
      const pick = balancer.pick()!
      tried.set(pick.endpoint.id, (tried.get(pick.endpoint.id) ?? 0) + 1)
      await clock.advance(1)
      pick.done('failure')
    }
    expect(tried.size).toBe(10)
    expect(Math.max(...tried.values())).toBeLessThan(200)
  })

  it('a fleet that is replaced as a whole is used at once, though all are newcomers', async () => {
    const { clock, discovery, balancer } = fleet(policy, 5)
    discovery.push(fresh('a', 'b', 'c', 'd', 'e'))
    await clock.settle()
    const picks = Array.from({ length: 10 }, () => balancer.pick()!.endpoint.id)
    expect(picks.every((id) => /[a-e]/.test(id))).toBe(true)
    expect(new Set(picks).size).toBeGreaterThanOrEqual(4)
  })

  it('one endpoint is enough, and two', () => {
    for (const count of [1, 2]) {
      const { balancer } = fleet(policy, count)
      expect(new Set(Array.from({ length: 20 }, () => balancer.pick()!.endpoint.id)).size).toBe(count)
    }
  })

  it('thousands of endpoints that come and go leave nothing behind', async () => {
    const { clock, discovery, balancer } = fleet(policy, 2_000)
    for (let round = 1; round <= 5; round++) {
      for (let pick = 0; pick < 50; pick++) balancer.pick()!.done('success')
      discovery.push(fresh(...names(2_000).map((name) => `${round}-${name}`)))
      await clock.settle()
    }
    const { endpoints, epoch } = balancer.stats()
    expect([endpoints.length, epoch]).toEqual([2_000, 6])
  })
})

describe('an empty list', () => {
  it('refuses calls at once, and they work again when there is somebody', async () => {
    const { clock, discovery, balancer } = fleet(little(), 1)
    discovery.push({ state: 'confirmed-empty', endpoints: [] })
    await clock.settle()
    await expect(balancer.call(() => 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    discovery.push(fresh('back'))
    await clock.settle()
    expect(await balancer.call(({ id }) => id)).toBe('back')
  })
})

describe('from within', () => {
  it('work may close its balancer, and is not cut short', async () => {
    const { balancer } = fleet(little(), 2)
    let closed: Promise<boolean> | undefined
    const result = await balancer.call(async () => {
      closed = balancer.close()
      return 'done'
    })
    expect(result).toBe('done')
    expect(await closed).toBe(true)
  })

  it('work may call, and the list may change while it does', async () => {
    const { clock, discovery, balancer } = fleet(little(), 2)
    const result = await balancer.call(async ({ id }) => {
      discovery.push(fresh('other'))
      await clock.settle()
      return [id, await balancer.call((inner) => inner.id)]
    })
    expect(result[1]).toBe('other')
    expect(balancer.stats().endpoints.map(({ endpoint }) => endpoint.id)).toEqual(['other'])
  })

  it('an observer may pick when a retry is announced', async () => {
    const clock = manualClock()
    let picked = 0
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }, { address: 'b' }]), {
      clock,
      observe: ({ type }) => {
        if (type !== 'retry') return
        balancer.pick()!.done('ignored')
        picked++
      },
    })
    const unavailable = () => Promise.reject(new HeadraceError('UNAVAILABLE', 'down'))
    await expect(balancer.call(unavailable)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(picked).toBe(1)
  })

  it('an observer that throws breaks nothing', async () => {
    const warnings: unknown[] = []
    const note = (warning: unknown) => void warnings.push(warning)
    process.on('warning', note)
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), {
      observe: () => {
        throw new Error('mine')
      },
    })
    expect(await balancer.call(() => 1)).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', note)
    expect(warnings.length).toBe(1)
  })
})

describe('work in flight', () => {
  it('that ends after its endpoint has left, and after the balancer has closed, is counted once and breaks nothing', async () => {
    const { clock, discovery, balancer } = fleet(little(), 1)
    const pick = balancer.pick()!
    discovery.push(fresh('other'))
    await clock.settle()
    const closed = balancer.close({ drainMs: 10 })
    await clock.advance(10)
    expect(await closed).toBe(false)
    expect([pick.done('failure'), pick.done('failure')]).toEqual([true, false])
    expect(balancer.stats().endpoints.map(({ endpoint }) => endpoint.id)).toEqual(['other'])
  })

  it('sums up to zero under aborts, throws, timeouts and double ends', async () => {
    const { clock, balancer } = fleet(little(), 3)
    const random = seededRandom(5)
    const calls: Promise<unknown>[] = []
    for (let index = 0; index < 300; index++) {
      const caller = new AbortController()
      const fate = Math.floor(random.next() * 5)
      calls.push(
        balancer
          .call(
            async () => {
              if (fate === 0) throw new Error('thrown')
              if (fate === 1) await new Promise(() => {})
              if (fate === 2) caller.abort()
              await clock.sleep(random.next() * 20)
            },
            { signal: caller.signal, deadlineMs: 30, idempotent: fate === 0 },
          )
          .catch(() => {}),
      )
      if (index % 10 === 0) await clock.advance(1)
    }
    await clock.advance(100)
    await Promise.all(calls)
    expect(balancer.stats().endpoints.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0])
    expect(clock.pending).toBe(0)
  })
})

describe('the sources', () => {
  it('take time and chance from parameters only', () => {
    const folder = new URL('../src/', import.meta.url)
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
      // The suite runs in the time of the source that it tests.
      (file) => file.endsWith('.ts') && file !== 'conformance/discovery.ts',
    )
    expect(files.length).toBeGreaterThan(40)
    for (const file of files) {
      const source = readFileSync(new URL(file, folder), 'utf8')
      expect(`${file}: ${/Math\.random|Date\.now|performance\.now|setTimeout\(/.exec(source)?.[0]}`).toBe(
        `${file}: undefined`,
      )
    }
  })
})
