import type { Clock } from '@headrace/core'
import type { Entry, Operation } from './port.ts'
import { decoded, encoded } from './queue.ts'

/**
 * Consul's index only grows, and so does a token made from it, until the servers lose their data and count anew. An
 * epoch is added to it: the microseconds since 1970 at which somebody found none. As long as fewer than a million entries
 * are written per second, a later epoch puts every token above all earlier ones.
 */
export interface Epoch {
  /** To be part of every transaction whose answer makes tokens. */
  readonly read: Operation
  /** Takes the epoch from the answer; writes it where there is none. */
  learn(entries: readonly Entry[]): Promise<void>
  token(index: number): bigint
  /** What is known now, for `check`. */
  mark(): Mark
  /** @throws where an entry has an index that had been passed before it was asked for, at the time of `mark`. */
  check(index: number, mark: Mark): void
  readonly tokensPerIndex: number
}

export interface Mark {
  readonly startUs: number
  readonly highest: number
}

const tokensPerIndex = 256

export function createEpoch(options: {
  readonly name: string
  readonly clock: Clock
  readonly transact: (operations: readonly Operation[]) => Promise<readonly Entry[]>
}): Epoch {
  const { name, clock, transact } = options
  const read: Operation = { Verb: 'get-tree', Key: name }
  let startUs = 0
  let index = 0
  let highest = 0
  let wentBack = false

  const write = async (cas: number) => {
    const Value = encoded(Math.floor(clock.wallMs() * 1_000))
    // Where another one was faster, its epoch counts.
    await transact([{ Verb: 'cas', Key: name, Value, Index: cas }]).catch(() => {})
    const found = find(await transact([read]))
    if (!found) throw new Error('consul did not keep the epoch of the tokens')
    return found
  }
  const find = (entries: readonly Entry[]) => entries.find(({ Key, Value }) => Key === name && Value !== null)

  return {
    read,
    tokensPerIndex,
    async learn(entries) {
      let found = find(entries)
      if (!found || wentBack) found = await write(found?.ModifyIndex ?? 0)
      const us = Number(decoded(found.Value!))
      if (!Number.isSafeInteger(us)) throw new Error(`the epoch of the tokens in consul, ${name}, is not a number`)
      if (found.ModifyIndex !== index || us !== startUs) highest = 0
      index = found.ModifyIndex
      startUs = us
      wentBack = false
      for (const { CreateIndex, ModifyIndex } of entries) highest = Math.max(highest, CreateIndex, ModifyIndex)
    },
    token: (at) => (BigInt(startUs) + BigInt(at)) * BigInt(tokensPerIndex),
    mark: () => ({ startUs, highest }),
    check(made, mark) {
      if (made > mark.highest || mark.startUs !== startUs) return
      wentBack = true
      throw new Error('the index of consul went back: its servers were restored from an older snapshot')
    },
  }
}
