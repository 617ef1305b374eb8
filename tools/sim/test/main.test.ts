import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

const sim = (...args: string[]) =>
  spawnSync(process.execPath, ['--conditions=@headrace/source', 'src/main.ts', 'lock', ...args], {
    cwd: new URL('..', import.meta.url),
    encoding: 'utf8',
    timeout: 60_000,
  })

it('the command says that a search was complete', () => {
  const { stdout, status } = sim('--nodes', '2', '--attempts', '2', '--clocks', 'any', '--propose', '0', '4')
  expect(stdout).toMatch(/^Complete, no violation: [\d,]+ states/)
  expect(status).toBe(0)
})

it('the command prints the steps to a violation', () => {
  const { stdout, status } = sim('--clocks', 'any', '--careless', 'one round')
  expect(stdout).toMatch(/^Violated: two grants share a token\.\n {2}1 {2}client A asks all nodes/)
  expect(status).toBe(1)
})

it('the command says where it has given up', () => {
  const { stdout, status } = sim('--attempts', '3', '--states-max', '1000')
  expect(stdout).toMatch(/^Given up/)
  expect(status).toBe(2)
})

it('the command refuses what it cannot search', () => {
  const { stderr, status } = sim('--nodes', 'many')
  expect(stderr).toContain('whole number')
  expect(status).not.toBe(0)
})
