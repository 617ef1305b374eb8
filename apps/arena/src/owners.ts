import { type Clock, systemClock } from '@headrace/core'
import type { WriterEvent } from '@headrace/writer'

/** A shard went from one server to another. */
export interface TakeOver {
  readonly shard: string
  readonly from: string
  readonly to: string
  /** The fencing tokens of the two. */
  readonly tokens: readonly [bigint, bigint]
  /** From the last commit of the one to the first of the other: for so long the players saw nothing happen. */
  readonly silentMs: number
}

/** Who writes to which shard, from what the writers tell. */
export interface Owners {
  saw(server: string, shard: string, event: WriterEvent): void
  /** The server of each shard that has been written to, and its fencing token. */
  readonly now: ReadonlyMap<string, { readonly server: string; readonly token: bigint }>
  readonly takeOvers: readonly TakeOver[]
}

export function watchOwners(clock: Clock = systemClock): Owners {
  const tokens = new Map<string, bigint>()
  const now = new Map<string, { readonly server: string; readonly token: bigint; readonly committedMs: number }>()
  const takeOvers: TakeOver[] = []
  return {
    saw(server, shard, event) {
      if (event.type === 'owned') tokens.set(`${server} ${shard}`, event.token)
      if (event.type !== 'committed') return
      const token = tokens.get(`${server} ${shard}`) ?? 0n
      const before = now.get(shard)
      const committedMs = clock.nowMs()
      now.set(shard, { server, token, committedMs })
      if (!before || before.server === server) return
      const silentMs = committedMs - before.committedMs
      takeOvers.push({ shard, from: before.server, to: server, tokens: [before.token, token], silentMs })
    },
    now,
    takeOvers,
  }
}
