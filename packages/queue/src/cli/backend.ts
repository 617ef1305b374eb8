import { existsSync } from 'node:fs'
import { HeadraceError } from '@headrace/core'
import type { Connection } from 'rabbitmq-client'
import type { QueueDeclaration, QueueDriver } from '../driver.ts'
import { deadQueue, parkedQueue, partitionQueue } from '../rabbitmq/names.ts'
import { fromColumn } from '../sqlite/text.ts'
import type { Arguments } from './arguments.ts'

/** A queue that exists, and how it was declared. */
export interface Attached {
  readonly driver: QueueDriver
  readonly declaration: QueueDeclaration
  close(): Promise<void>
}

const connectMs = 10_000

/** @throws HeadraceError `UNAVAILABLE`, or `REJECTED` where there is no such queue: nothing is created. */
export function attach({ backend, queue, depthMax = 1 }: Arguments): Promise<Attached> {
  return 'sqlite' in backend ? attachFile(backend.sqlite, queue) : attachBroker(backend.rabbitmq, queue, depthMax)
}

const missing = (queue: string) => new HeadraceError('REJECTED', `there is no queue "${queue}"`)

async function attachFile(path: string, queue: string): Promise<Attached> {
  if (!existsSync(path)) throw new HeadraceError('UNAVAILABLE', `there is no file "${path}"`)
  // Asked for where it is needed: Node 22.12 has it behind a flag, and the broker does without.
  const { sqliteQueue } = await import('../sqlite.ts')
  const found = (await queuesOf(path)).find(({ name }) => name === queue)
  if (!found) throw missing(queue)
  const driver = sqliteQueue(path)
  return { driver, declaration: await declared(driver, found), close: () => driver.close() }
}

async function queuesOf(path: string): Promise<QueueDeclaration[]> {
  const { DatabaseSync } = await import('node:sqlite')
  let db: InstanceType<typeof DatabaseSync> | undefined
  try {
    db = new DatabaseSync(path)
    const rows = db.prepare('SELECT name, partitions, depth_max FROM headrace_queues').all()
    return rows.map((row) => ({
      name: fromColumn(row['name'] as string),
      partitions: row['partitions'] as number,
      depthMax: row['depth_max'] as number,
      park: true,
    }))
  } catch (cause) {
    throw new HeadraceError('UNAVAILABLE', `the file cannot be read as one of queues: ${(cause as Error).message}`, {
      cause,
    })
  } finally {
    db?.close()
  }
}

async function attachBroker(url: string, queue: string, depthMax: number): Promise<Attached> {
  const Client = await client()
  const { rabbitmqQueue } = await import('../rabbitmq.ts')
  const connection = new Client({ url, heartbeat: 10, noDelay: true, frameMax: 131_072 })
  // The client would try again until the time is over; at a terminal the first failure is the answer.
  const failed = new Promise<never>((_, reject) => connection.on('error', reject))
  failed.catch(() => {})
  const driver = rabbitmqQueue(connection)
  const close = async () => {
    await driver.close()
    connection.unsafeDestroy()
  }
  try {
    try {
      await Promise.race([connection.onConnect(connectMs), failed])
    } catch (cause) {
      throw new HeadraceError('UNAVAILABLE', `no connection to RabbitMQ: ${(cause as Error).message}`, {
        cause,
      })
    }
    const exists = async (name: string) => {
      const channel = await connection.acquire()
      // Asking for what is not there closes the channel.
      channel.on('error', () => {})
      try {
        await channel.queueDeclare({ queue: name, passive: true })
        await channel.close()
        return true
      } catch (error) {
        if ((error as { code?: unknown }).code === 'NOT_FOUND') return false
        throw error
      }
    }
    if (!(await exists(deadQueue(queue)))) throw missing(queue)
    const park = await exists(parkedQueue(queue, 0))
    const partitions = await countWhile((partition) => exists(partitionQueue(queue, partition)))
    return { driver, declaration: await declared(driver, { name: queue, partitions, depthMax, park }), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** How many numbers from 0 on there are: doubling first, then by halves. */
async function countWhile(exists: (index: number) => Promise<boolean>): Promise<number> {
  let [known, missing] = [0, 1]
  while (await exists(missing - 1)) {
    known = missing
    missing *= 2
  }
  while (missing - known > 1) {
    const middle = Math.floor((known + missing) / 2)
    if (await exists(middle - 1)) known = middle
    else missing = middle
  }
  return known
}

async function client(): Promise<typeof Connection> {
  try {
    return (await import('rabbitmq-client')).Connection
  } catch (cause) {
    throw new HeadraceError('UNAVAILABLE', 'install rabbitmq-client beside @headrace/queue to reach RabbitMQ', {
      cause,
    })
  }
}

/** Declares what is there as it is: a driver says how it differs, but not how it was declared. */
async function declared(driver: QueueDriver, guess: QueueDeclaration): Promise<QueueDeclaration> {
  let declaration = guess
  for (let tries = 0; tries < 8; tries++) {
    const [difference] = await driver.declare(declaration)
    if (!difference) return declaration
    const { what, found } = difference
    if (what !== 'x-max-length') {
      throw new HeadraceError(
        'REJECTED',
        `queue "${guess.name}" is of another kind: ${what} is ${found ?? 'not known'}`,
      )
    }
    // The broker cuts what it says at 255 bytes, and the name comes first.
    if (!Number.isSafeInteger(Number(found ?? 'x'))) {
      throw new HeadraceError('REJECTED', `queue "${guess.name}" does not say its depthMax: give --depth-max`)
    }
    declaration = { ...declaration, depthMax: Number(found) }
  }
  throw new HeadraceError('REJECTED', `queue "${guess.name}" changes while it is looked at`)
}
