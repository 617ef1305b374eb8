import { type Discovery, staticEndpoints } from '@headrace/balancer'
import { discoveryConformance } from '@headrace/balancer/conformance'
import { describe, it } from 'vitest'

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
