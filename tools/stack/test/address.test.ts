import { serverUrl } from '@headrace/stack'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllEnvs()
})

test.each([
  ['redis', 'REDIS_URL'],
  ['rabbitmq', 'AMQP_URL'],
  ['consul', 'CONSUL_HTTP_ADDR'],
  ['postgres', 'DATABASE_URL'],
] as const)('without an address for %s the error names %s and the command that sets it', (name, variable) => {
  vi.stubEnv(variable, undefined)
  expect(() => serverUrl(name)).toThrow(`${variable} is not set: run this inside \`pnpm stack run ${name} -- COMMAND\``)
})

test('an address is returned as it is in the environment', () => {
  vi.stubEnv('REDIS_URL', 'redis://there:1')
  expect(serverUrl('redis')).toBe('redis://there:1')
})

test('an address of Consul without a scheme, as its own tools take it, becomes a URL', () => {
  vi.stubEnv('CONSUL_HTTP_ADDR', '127.0.0.1:8500')
  expect(serverUrl('consul')).toBe('http://127.0.0.1:8500')
  vi.stubEnv('CONSUL_HTTP_ADDR', 'https://there:8501')
  expect(serverUrl('consul')).toBe('https://there:8501')
})
