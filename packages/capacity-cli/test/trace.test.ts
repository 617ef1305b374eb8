import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { cli, file, folder } from './command.ts'

vi.setConfig({ testTimeout: 60_000 })

/** 20 at once every 10 s: two per second. */
const bursts = () => {
  const rows = Array.from({ length: 400 }, (_, i) => Array.from({ length: 20 }, () => `${i * 10},k`).join('\n'))
  return file('bursts.csv', `atSec,key\n${rows.join('\n')}\n`)
}

/** Each takes 0.1 s: the last of 20 waits for 3 turns of 5 servers, and of 4 for 4. */
const promise = ['--mean-service', '0.1', '--cs2', '0', '--wait', '0.35', '--p', '0.95']

/** `count` times as they are in a Poisson process of so many per second. */
function times(count: number, perSec: number): string[] {
  let at = 0
  let state = 7
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    at -= Math.log((state + 0.5) / 2 ** 32) / perSec
    return at.toFixed(6)
  })
}

const poisson = () => file('poisson.csv', `time\n${times(4000, 5).join('\n')}\n`)

const planOf = async (trace: string, ...options: string[]) => {
  const { code, out } = await cli('plan', '--trace', trace, ...options, '--json')
  return { code, ...JSON.parse(out) }
}

it('bursts are planned for as they are: so many servers that the replay keeps the promise, and one less does not', async () => {
  const { decidedBy, modelServers, servers, certificate, trace, replayed } = await planOf(bursts(), ...promise)
  expect(trace).toMatchObject({ arrivals: 8000, atOnce: 7600, report: { arrivals: 'bursty' } })
  expect({ decidedBy, servers }).toEqual({ decidedBy: 'replay', servers: 5 })
  expect(modelServers).toBeLessThan(5)
  expect(certificate.enough).toMatchObject({ servers: 5, late: 0 })
  expect(certificate.oneLess.servers).toBe(4)
  // Of each 20 the last four.
  expect(certificate.oneLess.late).toBeCloseTo(0.2, 2)
  expect(replayed.quantiles['0.99']).toBeLessThan(0.35)
})

it('says so', async () => {
  const { out } = await cli('plan', '--trace', bursts(), ...promise)
  expect(out).toContain('8000 arrivals in 3990 s')
  expect(out).toContain('The arrivals are not Poisson: they come in bursts')
  expect(out).toContain('7600 have the time of another, and are taken to come at once')
  expect(out).toContain('planned are 5, by the replay')
  expect(out).toMatch(/with 4 servers +│ \d+\.?\d* % late, 0 % turned away, replayed/)
})

it('the rate limit and the headroom are those of the replay', async () => {
  const { rateLimit, headroom } = await planOf(bursts(), ...promise)
  // They come at once however fast the trace is, and are gone after 0.4 s.
  expect(rateLimit / 2).toBeGreaterThan(10)
  expect(rateLimit / 2).toBeLessThanOrEqual(10 / 0.4)
  expect(headroom.share).toBeCloseTo((rateLimit * 3990) / 8000 - 1, 9)
})

it('a promised loss is kept by the replay, with the places that there are', async () => {
  const few = await planOf(bursts(), ...promise)
  const { servers, replayed } = await planOf(bursts(), ...promise, '--loss', '0.01')
  expect(few.replayed.lost).toBeGreaterThan(0.01)
  expect(replayed.lost).toBeLessThanOrEqual(0.01)
  expect(servers).toBeGreaterThan(5)
})

it('what the trace leaves open costs servers: the same bursts, faster and with longer services', async () => {
  const groups = times(400, 1).flatMap((at) => new Array<string>(20).fill(at))
  const trace = file('groups.csv', `at\n${groups.join('\n')}\n`)
  const { decidedBy, robust, servers, input } = await planOf(trace, ...promise, '--confidence', '0.999')
  expect(decidedBy).toBe('replay')
  expect(robust.servers).toBeGreaterThan(servers)
  expect(robust.lambda / input.lambda).toBeGreaterThan(1.1)
})

it('no number of servers is an answer, with what the most leave', async () => {
  const { code, reason } = await planOf(bursts(), ...promise, '--servers-max', '4')
  expect(code).toBe(1)
  expect(reason).toMatch(/^replayed, even 4 servers leave the share 0\.\d+ of the arrivals late/)
})

it('the page draws the replay', async () => {
  const page = join(folder, 'trace.html')
  await cli('plan', '--trace', bursts(), ...promise, '--report', page)
  const html = readFileSync(page, 'utf8')
  expect(html.match(/<svg/g)).toHaveLength(2)
  expect(html).toContain('share late, replayed')
  expect(html).toContain('stroke-dasharray="6 3"')
})

it('Poisson arrivals are planned by the model, which then is exact', async () => {
  const options = ['--mean-service', '0.5', '--wait', '0.1']
  const { decidedBy, expected, servers, modelServers } = await planOf(poisson(), ...options)
  expect({ decidedBy, kind: expected.kind, servers }).toEqual({
    decidedBy: 'model',
    kind: 'exact',
    servers: modelServers,
  })
  const { out } = await cli('plan', '--trace', poisson(), ...options, '--confidence', '0.9')
  expect(out).toContain('The arrivals may be Poisson')
  expect(out).toContain('for all that was measured')
})

it('arrivals by a clock are planned by the model for them, as it asks for no less than the replay', async () => {
  const clock = file('clock.csv', `t,at\n${Array.from({ length: 2000 }, (_, i) => `x,${i / 4}`).join('\n')}\n`)
  const result = await planOf(clock, '--mean-service', '0.5', '--wait', '0.1')
  expect(result).toMatchObject({ decidedBy: 'model', trace: { report: { arrivals: 'regular' } } })
  expect(result.servers).toBeGreaterThanOrEqual(result.replay.servers)
  expect(result.servers).toBeLessThan((await planOf(poisson(), '--mean-service', '0.5', '--wait', '0.1')).servers)
})

it('where nothing can be told there are as many servers as the model and the replay need', async () => {
  const told = await planOf(bursts(), ...promise, '--window', '1000')
  expect(told).toMatchObject({ trace: { report: { arrivals: 'insufficient data' } }, decidedBy: 'replay', servers: 5 })
  const { out } = await cli('plan', '--trace', bursts(), ...promise, '--window', '1000')
  expect(out).toContain('The trace is too short to tell what the arrivals are')
})

it('a trace of too few is refused', async () => {
  const { code, err } = await cli('plan', '--trace', file('few.csv', 'at\n1\n2\n'), ...promise)
  expect(code).toBe(2)
  expect(err).toContain('few.csv must have 100 arrivals or more, and not all at one time, received 2')
})
