import { type Discovery, type Snapshot, staticEndpoints } from '@headrace/balancer'
import { type DiscoverySubject, discoveryConformance, discoveryRules } from '@headrace/balancer/conformance'
import { brokenRules } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

describe('static endpoints', () => {
  let discovery: Discovery = staticEndpoints([])
  discoveryConformance({
    test: it,
    supports: { changes: false, outages: false },
    create: () => ({
      subject: {
        discovery: { watch: (signal) => discovery.watch(signal) },
        async set(addresses) {
          discovery = staticEndpoints(addresses.map((address) => ({ address })))
        },
        async down() {},
        async up() {},
      },
    }),
  })
})

interface Source {
  addresses: readonly string[]
  isDown: boolean
}

/** A discovery that looks at a variable every few milliseconds, with a bug if there is one. */
function polled(
  flaw: Partial<Record<'first' | 'ids' | 'changes' | 'aborted' | 'outage', true>> = {},
): DiscoverySubject {
  const source: Source = { addresses: [], isDown: false }
  const idOf = (address: string) => (flaw.ids ? `${address} ${Math.random()}` : address)
  const discovery: Discovery = {
    async *watch(signal) {
      let last: string | undefined
      if (flaw.aborted) yield { state: 'fresh', endpoints: [] }
      for (let turn = 0; !signal.aborted; turn++) {
        if (source.isDown && !flaw.outage) throw new Error('down')
        const addresses = source.isDown ? [] : source.addresses
        const seen = JSON.stringify(addresses)
        const isSkipped = (flaw.first && turn === 0) || (flaw.changes && last !== undefined)
        if (seen !== last && !isSkipped) {
          const endpoints = addresses.map((address) => ({ address, id: idOf(address) }))
          yield { state: endpoints.length === 0 ? 'confirmed-empty' : 'fresh', endpoints } satisfies Snapshot
        }
        last = seen
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
  }
  return {
    discovery,
    async set(addresses) {
      source.addresses = addresses
    },
    async down() {
      source.isDown = true
    },
    async up() {
      source.isDown = false
    },
  }
}

const broken = (flaw: Parameters<typeof polled>[0]) =>
  brokenRules(discoveryRules(300), {
    supports: { changes: true, outages: true },
    create: () => ({ subject: polled(flaw) }),
  })

describe('the suite', () => {
  it('finds nothing in a sound discovery', async () => {
    expect(await broken({})).toEqual([])
  })

  it.each<[string, Parameters<typeof polled>[0]]>([
    ['yields what is there at once', { first: true }],
    ['gives every endpoint an id of its own, and the same one each time', { ids: true }],
    ['yields again after a change', { changes: true }],
    ['yields nothing for a signal that has aborted already', { aborted: true }],
    ['never takes an outage for an empty list, and comes back by itself or by an error', { outage: true }],
  ])('catches one that does not: %s', async (rule, flaw) => {
    expect(await broken(flaw)).toContain(rule)
  })

  it('catches one that does not: end when its signal aborts', async () => {
    const deaf: Discovery = {
      async *watch() {
        yield { state: 'fresh', endpoints: [{ address: '127.0.0.1:7001' }] }
        await new Promise(() => {})
      },
    }
    const rules = discoveryRules(300).filter(({ name }) => name.startsWith('ends soon'))
    const caught = await brokenRules(rules, {
      supports: { changes: true, outages: true },
      create: () => ({ subject: { ...polled(), discovery: deaf } }),
    })
    expect(caught.length).toBe(1)
  })
})
