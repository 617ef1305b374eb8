import { brokenRules, type Rule, runConformance, type TestFunction } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

interface Counter {
  add(): number
}
interface Supports {
  readonly durable: boolean
}

const rules: readonly Rule<Counter, Supports>[] = [
  {
    name: 'starts at one',
    check: async (counter) => {
      expect(counter.add()).toBe(1)
    },
  },
  {
    name: 'counts on',
    check: async (counter) => {
      counter.add()
      expect(counter.add()).toBe(2)
    },
  },
  {
    name: 'survives a restart',
    needs: (supports) => supports.durable,
    check: async () => {
      throw new Error('it does not')
    },
  },
]

const counting = () => {
  let count = 0
  return { subject: { add: () => ++count } }
}

/** A runner that only remembers what was registered with it. */
function runner(options: { readonly skip: boolean }) {
  const tests = new Map<string, () => Promise<void>>()
  const skipped: string[] = []
  const test: TestFunction = (name, run) => tests.set(name, run)
  if (options.skip) test.skip = (name) => skipped.push(name)
  return { test, tests, skipped }
}

describe('runConformance', () => {
  it('registers one test for each rule, on a fresh subject each', async () => {
    const { test, tests } = runner({ skip: true })
    runConformance(rules, { test, create: counting, supports: { durable: false } })
    expect([...tests.keys()]).toEqual(['starts at one', 'counts on'])
    for (const run of tests.values()) await run()
  })

  it('leaves out a rule that does not apply', () => {
    const { test, tests, skipped } = runner({ skip: true })
    runConformance(rules, { test, create: counting, supports: { durable: false } })
    expect([...tests.keys(), ...skipped]).not.toContainEqual(expect.stringContaining('survives a restart'))
  })

  it('checks a rule whose needs are met', async () => {
    const { test, tests, skipped } = runner({ skip: true })
    runConformance(rules, { test, create: counting, supports: { durable: true } })
    expect(skipped).toEqual([])
    await expect(tests.get('survives a restart')!()).rejects.toThrow('it does not')
  })

  it('shows a skipped rule with its reason', () => {
    const { test, tests, skipped } = runner({ skip: true })
    const skip = { 'counts on': 'issue 12' }
    runConformance(rules, { test, create: counting, supports: { durable: true }, skip })
    expect(skipped).toEqual(['counts on (skipped: issue 12)'])
    expect([...tests.keys()]).toEqual(['starts at one', 'survives a restart'])
  })

  it('refuses to skip with a runner that cannot', () => {
    const { test } = runner({ skip: false })
    const skip = { 'counts on': 'issue 12' }
    expect(() => runConformance(rules, { test, create: counting, supports: { durable: true }, skip })).toThrow(
      new TypeError('test.skip must be a function where rules are skipped'),
    )
  })

  it('refuses to skip a rule that does not exist, or without a reason', () => {
    const { test } = runner({ skip: true })
    const options = { test, create: counting, supports: { durable: true } }
    expect(() => runConformance(rules, { ...options, skip: { 'counts up': 'typo' } })).toThrow(
      'skip names an unknown rule: "counts up"',
    )
    expect(() => runConformance(rules, { ...options, skip: { 'counts on': '' } })).toThrow(
      'skip gives no reason for "counts on"',
    )
  })

  it.each([
    ['keeps the rule', counting, undefined],
    ['breaks the rule', () => ({ subject: { add: () => 0 } }), 'expected +0 to be 1'],
  ])('closes the subject when it %s', async (_, create, message) => {
    const { test, tests } = runner({ skip: true })
    let closed = 0
    const close = async () => {
      closed++
    }
    runConformance(rules, { test, create: () => ({ ...create(), close }), supports: { durable: false } })
    const outcome = await tests.get('starts at one')!().catch((error: Error) => error.message)
    if (message === undefined) expect(outcome).toBeUndefined()
    else expect(outcome).toContain(message)
    expect(closed).toBe(1)
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('already gone'))],
    [
      'throws',
      () => {
        throw new Error('already gone')
      },
    ],
  ])('tells how the rule was broken also where closing %s afterwards', async (_, close) => {
    const { test, tests } = runner({ skip: true })
    const broken = () => ({ subject: { add: () => 0 }, close })
    runConformance(rules, { test, create: broken, supports: { durable: false } })
    await expect(tests.get('starts at one')!()).rejects.toThrow('expected +0 to be 1')
  })

  it('fails a rule that is kept by a subject that cannot be closed', async () => {
    const { test, tests } = runner({ skip: true })
    const close = () => Promise.reject(new Error('already gone'))
    runConformance(rules, { test, create: () => ({ ...counting(), close }), supports: { durable: false } })
    await expect(tests.get('starts at one')!()).rejects.toThrow('already gone')
  })
})

describe('brokenRules', () => {
  it('names the rules that are broken, and only those that apply', async () => {
    expect(await brokenRules(rules, { create: counting, supports: { durable: false } })).toEqual([])
    expect(await brokenRules(rules, { create: counting, supports: { durable: true } })).toEqual(['survives a restart'])
    const stuck = () => ({ subject: { add: () => 1 } })
    expect(await brokenRules(rules, { create: stuck, supports: { durable: false } })).toEqual(['counts on'])
  })

  it('counts a subject that cannot be made as breaking every rule', async () => {
    const create = () => Promise.reject(new Error('no server'))
    expect(await brokenRules(rules, { create, supports: { durable: false } })).toEqual(['starts at one', 'counts on'])
  })

  it('counts a rule that never ends as broken', async () => {
    const hanging: Rule<Counter, Supports> = { name: 'answers', check: () => new Promise(() => {}) }
    const options = { create: counting, supports: { durable: false }, ruleMaxMs: 5 }
    expect(await brokenRules([hanging, ...rules], options)).toEqual(['answers'])
  })
})
