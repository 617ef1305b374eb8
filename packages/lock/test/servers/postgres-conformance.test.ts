import { lockConformance } from '@headrace/lock/conformance'
import { postgresLocks } from '@headrace/lock/postgres'
import { serverUrl } from '@headrace/stack'
import { Pool } from 'pg'
import { afterAll, describe, it } from 'vitest'
import { freshPrefix, onServer } from './redis-setup.ts'

describe('postgres', () => {
  const one = new Pool({ connectionString: serverUrl('postgres'), max: 20 })
  const two = new Pool({ connectionString: serverUrl('postgres'), max: 20 })
  afterAll(async () => {
    await Promise.all([one.end(), two.end()])
  })
  lockConformance({
    test: it,
    supports: postgresLocks(one).supports,
    create() {
      const prefix = freshPrefix()
      return { subject: onServer(postgresLocks(one, { prefix }), postgresLocks(two, { prefix })) }
    },
  })
})
