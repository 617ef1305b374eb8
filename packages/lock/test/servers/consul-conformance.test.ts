import { lockConformance } from '@headrace/lock/conformance'
import { consulLocks } from '@headrace/lock/consul'
import type { Server } from '@headrace/stack'
import Consul from 'consul'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { freshFolder, onConsul, startQuickConsul, ttlMs } from './consul-setup.ts'

let server: Server
beforeAll(async () => {
  server = await startQuickConsul()
})
afterAll(() => server.stop())

const { supports } = consulLocks('http://127.0.0.1')

describe('consul over plain connections', () => {
  lockConformance({
    test: it,
    supports,
    create() {
      const options = { prefix: freshFolder(), ttlMinMs: ttlMs }
      return { subject: onConsul(consulLocks(server.url, options), consulLocks(server.url, options)) }
    },
  })
})

describe('consul through the npm client and plain connections at the same time', () => {
  lockConformance({
    test: it,
    supports,
    create() {
      const options = { prefix: freshFolder(), ttlMinMs: ttlMs }
      const { hostname, port } = new URL(server.url)
      const client = new Consul({ host: hostname, port: Number(port) })
      return {
        subject: onConsul(consulLocks(client, options), consulLocks(server.url, options)),
        close: () => client.destroy(),
      }
    },
  })
})
