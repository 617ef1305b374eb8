import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { cli, file, folder } from './command.ts'

vi.setConfig({ testTimeout: 60_000 })

const worked = ['plan', '--lambda', '1200', '--mean-service', '0.02', '--wait', '0.05']

describe('plan', () => {
  it('prints the worked example with its proof', async () => {
    const { code, out } = await cli(...worked, '--retries', '0.2,3', '--hot-key', '1e6,0.99,0.005')
    expect(code).toBe(0)
    expect(out).toMatch(/servers +│ 26/)
    expect(out).toMatch(/with 25 servers +│ \d\.\d+ % late.* p99 87\.\d+ ms/)
    expect(out).toContain('metastable')
    expect(out).toMatch(/hottest key .* 3078\.4/)
  })

  it('prints the same as JSON', async () => {
    const { out } = await cli(...worked, '--json')
    expect(JSON.parse(out)).toMatchObject({
      feasible: true,
      servers: 26,
      certificate: { oneLess: { servers: 25 } },
      expected: { kind: 'exact', pAbandon: 0 },
    })
  })

  it('writes a page with both plots', async () => {
    const page = join(folder, 'plan.html')
    expect((await cli(...worked, '--report', page)).code).toBe(0)
    const html = readFileSync(page, 'utf8')
    expect(html.match(/<svg/g)).toHaveLength(2)
    expect(html).toContain('26 servers')
    expect(html).toContain('<path')
  })

  it('exits with 1 where no plan keeps the promise, and says why', async () => {
    const { code, out } = await cli('plan', '--lambda', '10', '--mean-service', '1', '--response', '1')
    expect(code).toBe(1)
    expect(out).toContain('no plan: the service alone is longer than 1 s')
  })
})

describe('erlang, fit and simulate', () => {
  it('erlang solves for what is missing', async () => {
    expect(JSON.parse((await cli('erlang', '--load', '24', '--p-wait', '0.1', '--json')).out)).toMatchObject({
      servers: 32,
    })
    expect(JSON.parse((await cli('erlang', '--servers', '30', '--blocking', '0.01', '--json')).out).load).toBeCloseTo(
      20.337,
      3,
    )
    expect(JSON.parse((await cli('erlang', '--servers', '30', '--p-wait', '0.05', '--json')).out)).toMatchObject({
      servers: 30,
      pWait: expect.closeTo(0.05, 9),
    })
    expect((await cli('erlang', '--load', '2', '--servers', '3')).out).toMatch(/Erlang C\) +│ 44\.444 %/)
  })

  it('fit finds the peak of published measurements', async () => {
    // Gunther, "Guerrilla capacity planning", 2007: the ray tracer.
    const csv = file(
      'usl.csv',
      'concurrency,throughput\n1,20\n4,78\n8,130\n12,170\n16,190\n20,200\n24,210\n28,230\n32,260\n48,280\n64,310\n',
    )
    const fit = JSON.parse((await cli('fit', csv, '--json')).out)
    expect(fit.sigma).toBeCloseTo(0.05, 1)
    expect(fit.kappa).toBe(0)
    expect((await cli('fit', csv)).out).toContain('no peak')
  })

  it('simulate puts the closed form beside its witness', async () => {
    const rows = JSON.parse(
      (
        await cli(
          'simulate',
          '--lambda',
          '7',
          '--mu',
          '1',
          '--servers',
          '8',
          '--capacity',
          '12',
          '--customers',
          '50000',
          '--json',
        )
      ).out,
    )
    expect(rows).toHaveLength(5)
    for (const { z } of rows) expect(Math.abs(z)).toBeLessThan(4)
  })
})

describe('arguments', () => {
  it.each([
    [['erlang'], 'give --load with --servers, or either'],
    [['erlang', '--load', 'x', '--servers', '1'], '--load must be a number, received x'],
    [['plan', '--mean-service', '1', '--wait', '1'], 'give either --lambda or --trace'],
    [['plan', '--lambda', '1', '--wait', '1'], "required option '--mean-service"],
    [['plan', '--lambda', '-1', '--mean-service', '1', '--wait', '1'], 'lambda must be from'],
    [['plan', '--trace', '/no/such.csv', '--mean-service', '1', '--wait', '1'], 'no such file'],
    [['simulate', '--lambda', '9', '--mu', '1', '--servers', '8'], 'lambda must be below'],
    [['dance'], "unknown command 'dance'"],
  ])('%j exits with 2', async (args, message) => {
    const { code, err } = await cli(...args)
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  it('helps', async () => {
    const { code, out } = await cli('--help')
    expect(code).toBe(0)
    for (const name of ['plan', 'erlang', 'fit', 'simulate']) expect(out).toContain(name)
  })
})
