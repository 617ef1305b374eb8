import { type BalancerEvent, createBalancer, outcomeOfError, roundRobin, staticEndpoints } from '@headrace/balancer'
import { HeadraceError, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

function trio() {
  const clock = manualClock()
  const events: BalancerEvent[] = []
  const balancer = createBalancer(staticEndpoints(['a', 'b', 'c'].map((address) => ({ address }))), {
    clock,
    policy: roundRobin(),
    random: seededRandom(1),
    observe: (event) => void events.push(event),
  })
  const totals = () => {
    const { endpoints } = balancer.stats()
    const sum = (field: 'inFlight' | 'succeeded' | 'failed' | 'ignored') =>
      endpoints.reduce((total, it) => total + it[field], 0)
    return { inFlight: sum('inFlight'), succeeded: sum('succeeded'), failed: sum('failed'), ignored: sum('ignored') }
  }
  return { clock, events, balancer, totals }
}

const unavailable = () => new HeadraceError('UNAVAILABLE', 'refused')
const forever = () => new Promise<never>(() => {})

describe('call', () => {
  it('gives back what the work gives, a promise or not', async () => {
    const { balancer, totals, clock } = trio()
    expect(await balancer.call((endpoint) => endpoint.address.length)).toBe(1)
    expect(await balancer.call(async (_, { attempt }) => attempt)).toBe(1)
    expect(totals()).toEqual({ inFlight: 0, succeeded: 2, failed: 0, ignored: 0 })
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('goes elsewhere when nothing happened', async () => {
    const { balancer, events, totals } = trio()
    const tried: string[] = []
    const result = await balancer.call(({ id }, { attempt }) => {
      tried.push(id)
      if (attempt < 3) throw unavailable()
      return id
    })
    expect(new Set(tried).size).toBe(3)
    expect(result).toBe(tried[2])
    expect(totals()).toEqual({ inFlight: 0, succeeded: 1, failed: 2, ignored: 0 })
    expect(events.slice(1)).toEqual([
      { type: 'retry', endpoint: tried[0], attempt: 1, error: unavailable() },
      { type: 'retry', endpoint: tried[1], attempt: 2, error: unavailable() },
    ])
  })

  it('does not repeat what may have happened, unless it is idempotent', async () => {
    const { balancer, totals } = trio()
    let runs = 0
    const fail = () => {
      runs++
      throw new Error('reset')
    }
    await expect(balancer.call(fail)).rejects.toThrow('reset')
    expect(runs).toBe(1)
    await expect(balancer.call(fail, { idempotent: true })).rejects.toThrow('reset')
    expect(runs).toBe(4)
    expect(totals()).toMatchObject({ inFlight: 0, failed: 4 })
  })

  it('stops at the number of attempts', async () => {
    const { balancer } = trio()
    let runs = 0
    const fail = async () => {
      runs++
      throw unavailable()
    }
    await expect(balancer.call(fail, { attempts: 2 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(runs).toBe(2)
  })

  it('throws the last failure when all endpoints were tried', async () => {
    const { balancer } = trio()
    let runs = 0
    const fail = async () => {
      throw new HeadraceError('BUSY', `number ${++runs}`)
    }
    await expect(balancer.call(fail, { attempts: 10 })).rejects.toThrow('number 3')
  })

  it('does not hold a refusal against the endpoint, and does not repeat it', async () => {
    const { balancer, totals } = trio()
    const refuse = () => Promise.reject(new HeadraceError('REJECTED', 'no such sku'))
    await expect(balancer.call(refuse, { idempotent: true })).rejects.toMatchObject({ code: 'REJECTED' })
    expect(totals()).toEqual({ inFlight: 0, succeeded: 0, failed: 0, ignored: 1 })
  })

  it('asks classify what an error means', async () => {
    const { balancer, totals } = trio()
    const fail = () => Promise.reject(new Error('404'))
    await expect(balancer.call(fail, { idempotent: true, classify: () => 'ignored' })).rejects.toThrow('404')
    expect(totals()).toMatchObject({ ignored: 1, failed: 0 })
    await expect(balancer.call(fail, { classify: () => 'nonsense' as never })).rejects.toThrow('outcome must be')
    expect(totals()).toMatchObject({ inFlight: 0, ignored: 2 })
  })

  it('is over at its deadline, and the work is told', async () => {
    const { balancer, clock, totals } = trio()
    let told: unknown
    const call = balancer.call(
      (_, { signal }) => {
        signal.addEventListener('abort', () => {
          told = signal.reason
        })
        return forever()
      },
      { deadlineMs: 100 },
    )
    const outcome = expect(call).rejects.toMatchObject({ code: 'TIMEOUT' })
    await clock.advance(100)
    await outcome
    expect(told).toMatchObject({ code: 'TIMEOUT' })
    expect(totals()).toMatchObject({ inFlight: 0, failed: 1 })
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('shares one deadline among all attempts', async () => {
    const { balancer, clock } = trio()
    const slowly = async () => {
      await clock.sleep(60)
      throw unavailable()
    }
    const outcome = expect(balancer.call(slowly, { deadlineMs: 100, attempts: 5 })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
    await clock.advance(100)
    await outcome
    expect(clock.nowMs()).toBe(100)
  })

  it('is over in the turn in which its caller aborts, and nobody is blamed', async () => {
    const { balancer, clock, totals } = trio()
    const caller = new AbortController()
    let told = false
    const call = balancer.call(
      (_, { signal }) => {
        signal.addEventListener('abort', () => {
          told = true
        })
        return forever()
      },
      { signal: caller.signal, idempotent: true },
    )
    const outcome = expect(call).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' })
    await clock.settle()
    caller.abort('enough')
    await outcome
    expect(told).toBe(true)
    expect(totals()).toEqual({ inFlight: 0, succeeded: 0, failed: 0, ignored: 1 })
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('does not begin for a caller who has aborted', async () => {
    const { balancer, totals } = trio()
    const work = () => expect.fail('it ran')
    await expect(balancer.call(work, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(totals()).toMatchObject({ inFlight: 0, ignored: 0 })
  })

  it('hands out an aborted signal to work that asks for it too late', async () => {
    const { balancer, clock } = trio()
    let context: { readonly signal: AbortSignal } | undefined
    const call = balancer.call(
      (_, attempt) => {
        context = attempt
        return forever()
      },
      { deadlineMs: 10 },
    )
    const outcome = expect(call).rejects.toMatchObject({ code: 'TIMEOUT' })
    await clock.advance(10)
    await outcome
    expect(context!.signal.aborted).toBe(true)
  })

  it('drops what arrives after the deadline, good or bad', async () => {
    for (const late of [async () => 'late', async () => Promise.reject(new Error('late'))]) {
      const { balancer, clock, totals } = trio()
      const call = balancer.call(() => clock.sleep(500).then(late), { deadlineMs: 100 })
      const outcome = expect(call).rejects.toMatchObject({ code: 'TIMEOUT' })
      await clock.advance(1_000)
      await outcome
      expect(totals()).toEqual({ inFlight: 0, succeeded: 0, failed: 1, ignored: 0 })
    }
  })

  it.each([
    ['deadlineMs', { deadlineMs: -1 }, 'deadlineMs must be from 0'],
    ['attempts', { attempts: 0 }, 'attempts must be from 1'],
    ['classify', { classify: 'failure' as never }, 'classify must be a function, received string'],
    ['key', { key: 'x'.repeat(513) }, 'key must be at most 512 bytes'],
  ])('names a bad %s', async (_, options, message) => {
    await expect(trio().balancer.call(() => 1, options)).rejects.toThrow(message)
  })
})

describe('call without endpoints', () => {
  it('waits for the first list', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery()
    const balancer = createBalancer(discovery, { clock })
    const call = balancer.call(({ id }) => id)
    await clock.advance(500)
    discovery.push(fresh('a'))
    await clock.settle()
    expect(await call).toBe('a')
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('waits no longer than its deadline and its caller allow', async () => {
    const clock = manualClock()
    const balancer = createBalancer(pushedDiscovery(), { clock })
    const caller = new AbortController()
    const late = expect(balancer.call(() => 1, { deadlineMs: 100 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    const aborted = expect(balancer.call(() => 1, { signal: caller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await clock.advance(100)
    await late
    caller.abort()
    await aborted
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('fails at once where it is known that there are none', async () => {
    const balancer = createBalancer(staticEndpoints([]), { clock: manualClock() })
    await expect(balancer.call(() => 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('is refused when a thousand wait already', async () => {
    const clock = manualClock()
    const balancer = createBalancer(pushedDiscovery(), { clock })
    const waiting = Array.from({ length: 1_000 }, () => balancer.call(() => 1).catch((error) => error.code))
    await expect(balancer.call(() => 1)).rejects.toMatchObject({ code: 'BUSY' })
    await balancer.close()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['CLOSED']))
  })
})

describe('outcomeOfError', () => {
  it('blames the endpoint unless it understood and refused', () => {
    const codes = ['BUSY', 'UNAVAILABLE', 'TIMEOUT', 'REJECTED', 'STALE', 'LOST', 'UNSUPPORTED'] as const
    expect(codes.map((code) => outcomeOfError(new HeadraceError(code, '')))).toEqual([
      'failure',
      'failure',
      'failure',
      'ignored',
      'ignored',
      'ignored',
      'ignored',
    ])
    expect(outcomeOfError(new TypeError('fetch failed'))).toBe('failure')
  })
})
