import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { createQueue, type Queue, reject } from '@headrace/queue'
import { headraceQueue } from '@headrace/queue/cli'
import { sqliteQueue } from '@headrace/queue/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommand } from './cli-set-up.ts'

let folder = ''
let file = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-cli-'))
  file = join(folder, 'queue.db')
})
afterEach(() => rmSync(folder, { recursive: true }))

async function withQueue(work: (queue: Queue<string>) => Promise<void>): Promise<void> {
  const driver = sqliteQueue(file)
  const queue = createQueue<string>(driver, 'orders', {
    partitions: 3,
    depthMax: 500,
    onExhausted: 'park',
    retry: { attempts: 1 },
  })
  await work(queue)
  await queue.close()
  await driver.close()
}

const until = async (condition: () => Promise<boolean>) => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** Three that wait, of which one cannot be shown as it is, and dead letters. */
const filled = (deadCount: number) =>
  withQueue(async (queue) => {
    const consumer = queue.consume(({ body }) => {
      throw reject(`no ${body}`)
    })
    for (let at = 0; at < deadCount; at++) await queue.publish(`d${at}`, { id: `d${at}`, key: at % 2 ? 'odd' : 'even' })
    await until(async () => (await queue.stats()).dead === deadCount)
    await consumer.close()
    for (const id of ['a', 'b', 'c\u001b[2J']) await queue.publish(`wait ${id}`, { id, key: 'k' })
  })

const cli = (...args: string[]) => runCommand(args, { terminal: true })
const onFile = (...args: string[]) => cli(...args, '--sqlite', file)
const json = async (...args: string[]) => JSON.parse((await onFile(...args, '--json')).out)

/** As a user starts it. */
async function command(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const main = fileURLToPath(new URL('../src/cli.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@headrace/source', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, AMQP_URL: '' },
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await ended, out, err }
}

describe('headrace-queue', () => {
  it('runs as a command, with its own exit code', async () => {
    await filled(1)
    const stats = await command('stats', 'orders', '--sqlite', file, '--json')
    expect([stats.code, stats.err]).toEqual([0, ''])
    expect(JSON.parse(stats.out)).toMatchObject({ queue: 'orders', partitions: 3, depthMax: 500, waiting: 3, dead: 1 })
    expect(await command('stats')).toMatchObject({ code: 2, out: '' })
    const help = await command('--help')
    expect(help.code).toBe(0)
    expect(help.out).toContain('headrace-queue redrive QUEUE')
  })

  it('shows in columns what it has in JSON', async () => {
    await filled(0)
    const { out } = await onFile('stats', 'orders')
    expect(out).toMatch(/^waiting +3$/m)
    expect(out).toMatch(/^dead +0$/m)
  })

  it('shows what waits without taking or counting it, and nothing that could harm a terminal', async () => {
    await filled(0)
    expect(await json('peek', 'orders')).toMatchObject(
      ['a', 'b', 'c\u001b[2J'].map((id) => ({ id, key: 'k', payload: JSON.stringify(`wait ${id}`) })),
    )
    expect(await json('peek', 'orders', '--limit', '2')).toHaveLength(2)
    const { out } = await onFile('peek', 'orders')
    expect(out).not.toContain('\u001b')
    expect(out).toContain('c·[2J')
    await withQueue(async (queue) => {
      const attempts: number[] = []
      queue.consume(({ attempt }) => attempts.push(attempt))
      await until(async () => attempts.length === 3)
      expect(attempts).toEqual([1, 1, 1])
    })
  })

  it('lists dead letters, all or some', async () => {
    await filled(4)
    expect((await json('dead', 'orders')).map(({ id }: { id: string }) => id)).toEqual(['d0', 'd1', 'd2', 'd3'])
    const some = async (...args: string[]) =>
      (await json('dead', 'orders', ...args)).map(({ id }: { id: string }) => id)
    expect(await some('--limit', '2')).toEqual(['d0', 'd1'])
    expect(await some('--key', 'odd')).toEqual(['d1', 'd3'])
    expect(await some('--id', 'd2')).toEqual(['d2'])
    expect(await some('--error', 'no d3')).toEqual(['d3'])
    expect(await some('--reason', 'exhausted')).toEqual([])
    expect((await onFile('dead', 'orders')).out).toMatch(/d1 +odd +rejected +1 +HeadraceError: no d1/)
  })

  it('redrives some, and all, and shows how far it is', async () => {
    await filled(102)
    expect(await json('redrive', 'orders', '--key', 'odd', '--dry-run')).toEqual({ dryRun: true, count: 51 })
    expect((await json('stats', 'orders')).dead).toBe(102)
    const some = await onFile('redrive', 'orders', '--key', 'odd', '--rate', '100000')
    expect(some).toMatchObject({ code: 0, out: '51 dead letters are back in their queue\n' })
    expect(some.err).toContain('redrive: 101 of 102')
    expect(await json('redrive', 'orders')).toEqual({ redriven: 51 })
    expect(await json('stats', 'orders')).toMatchObject({ waiting: 105, dead: 0 })
  })

  it('purges only when it is told to', async () => {
    await filled(3)
    expect(await onFile('purge', 'orders')).toMatchObject({ code: 2, out: '' })
    expect(await json('purge', 'orders', '--dry-run')).toEqual({ dryRun: true, count: 3 })
    expect(await json('purge', 'orders', '--yes', '--id', 'd1')).toEqual({ purged: 1 })
    expect((await onFile('purge', 'orders', '--yes', '--limit', '1')).out).toBe('1 dead letters are removed\n')
    expect((await json('stats', 'orders')).dead).toBe(1)
  })

  it('lists parked keys, and has them tried again or skipped', async () => {
    await withQueue(async (queue) => {
      const consumer = queue.consume(() => {
        throw new Error('broken')
      })
      for (const key of ['x', 'y']) await queue.publish(key, { key, id: key })
      await until(async () => (await queue.parked()).length === 2)
      await consumer.close()
    })
    expect(await json('parked', 'orders')).toMatchObject(
      [{ key: 'x' }, { key: 'y' }].map((it) => expect.objectContaining(it)),
    )
    expect((await onFile('parked', 'orders')).out).toContain('Error: broken')
    expect(await onFile('unpark', 'orders', 'x')).toMatchObject({ code: 0 })
    expect(await onFile('skip', 'orders', 'y')).toMatchObject({ code: 0 })
    expect(await onFile('unpark', 'orders', 'z')).toMatchObject({ code: 1, err: 'error: the key is not parked\n' })
    await withQueue(async (queue) => {
      const handled: string[] = []
      queue.consume(({ body }) => handled.push(body))
      await until(async () => handled.length === 1 && (await queue.parked()).length === 0)
      expect(handled).toEqual(['x'])
      await until(async () => (await queue.stats()).dead === 1)
    })
  })

  it('stops in good order when it is interrupted', async () => {
    await filled(3)
    const stop = new AbortController()
    const output = { out() {}, err: () => stop.abort(), terminal: true }
    const code = await headraceQueue(['redrive', 'orders', '--rate', '0.001', '--sqlite', file], output, stop)
    expect(code).toBe(130)
    expect((await json('stats', 'orders')).dead).toBe(2)
  })

  it('creates nothing, and says what is wrong', async () => {
    expect(await onFile('stats', 'orders')).toMatchObject({ code: 1, err: `error: there is no file "${file}"\n` })
    await filled(0)
    expect(await onFile('stats', 'order')).toMatchObject({ code: 1, err: 'error: there is no queue "order"\n' })
    const other = join(folder, 'other.db')
    writeFileSync(other, 'not a database, and long enough to be looked at as one'.repeat(100))
    expect(await cli('stats', 'orders', '--sqlite', other)).toMatchObject({
      code: 1,
      err: 'error: the file cannot be read as one of queues: file is not a database\n',
    })
    const driver = sqliteQueue(file)
    const locked = await onFile('stats', 'orders')
    expect(locked).toMatchObject({ code: 1, err: expect.stringContaining('database is locked') })
    await driver.close()
  })

  it.each([
    [['look', 'orders'], 'the command must be one of stats'],
    [['stats', 'orders', 'more'], 'stats takes no more arguments'],
    [['unpark', 'orders'], 'unpark needs a key'],
    [['stats'], 'stats needs the name of a queue'],
    [['dead', 'orders', '--limit', '1.5'], '--limit must be a positive integer, received "1.5"'],
    [['stats', 'orders', '--depth-max', 'x'], '--depth-max must be a positive integer, received "x"'],
    [['redrive', 'orders', '--rate', '0'], '--rate must be a positive number, received "0"'],
    [['purge', 'orders', '--yes', '--dry-run'], '--yes and --dry-run exclude each other'],
    [['stats', 'orders', '--wrong'], "Unknown option '--wrong'"],
    [['stats', 'orders', '--rabbitmq', 'amqp://localhost'], 'give one of --sqlite and --rabbitmq'],
  ])('%j is refused', async (args, message) => {
    const { code, out, err } = await onFile(...args)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(message)
  })

  it('never shows the password of a URL', async () => {
    const wrong = await cli('stats', 'orders', '--rabbitmq', 'http://ada:secret@localhost')
    expect(wrong).toMatchObject({ code: 2, err: expect.not.stringContaining('secret') })
    const away = await cli('stats', 'orders', '--rabbitmq', 'amqp://ada:secret@127.0.0.1:1')
    expect(away).toMatchObject({ code: 1, err: expect.stringContaining('no connection to RabbitMQ') })
    expect(away.err).not.toContain('secret')
    expect(await cli('stats', 'orders')).toMatchObject({ code: 2, err: expect.stringContaining('AMQP_URL') })
  })
})
