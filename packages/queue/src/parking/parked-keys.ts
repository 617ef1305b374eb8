import { type Clock, checkKey } from '@headrace/core'
import { backendCall } from '../backend.ts'
import type { DeadInfo, Delivery, ParkedKey, QueueDriver } from '../driver.ts'
import { commandHeader } from '../own-headers.ts'

/** What an operator wants done with a parked key: the payload of a message that travels through its partition. */
export interface Command {
  readonly tag: number
  readonly key: string
  /** Undefined where it cannot be read, and so is passed over. */
  readonly what: 'unpark' | 'skip' | undefined
  /** The message to skip, and why it was parked. */
  readonly id?: string | undefined
  readonly because?: DeadInfo | undefined
}

export interface ParkedKeys {
  parked(): Promise<readonly ParkedKey[]>
  unpark(key: string): Promise<boolean>
  skip(key: string): Promise<boolean>
}

export function createParkedKeys(context: {
  readonly driver: QueueDriver
  readonly name: string
  readonly clock: Clock
  readonly callMs: number
  readonly declared: () => Promise<void>
  /** Stores a command in the partition of the key. */
  readonly send: (key: string, payload: string) => Promise<void>
}): ParkedKeys {
  const { driver, name, clock, callMs, declared, send } = context

  async function parked(): Promise<readonly ParkedKey[]> {
    await declared()
    if (!driver.parked) return []
    return await backendCall(clock, callMs, `listing the parked keys of queue "${name}"`, driver.parked(name))
  }

  async function command(what: Command['what'], key: string): Promise<boolean> {
    checkKey('key', key)
    const found = (await parked()).find((each) => each.key === key)
    if (!found) return false
    const { id, because } = found
    await send(key, JSON.stringify(what === 'skip' ? { what, id, because } : { what }))
    return true
  }

  return {
    parked,
    unpark: (key) => command('unpark', key),
    skip: (key) => command('skip', key),
  }
}

/** What a delivery wants done; undefined where it is a message like any other. */
export function commandOf({ tag, message: { headers, key, payload } }: Delivery): Command | undefined {
  if (!(commandHeader in headers) || key === undefined) return undefined
  try {
    const said = JSON.parse(payload) as Pick<Command, 'what' | 'id' | 'because'>
    if (said.what === 'unpark' || said.what === 'skip') return { ...said, tag, key }
  } catch {
    // As one that says something else.
  }
  return { tag, key, what: undefined }
}
