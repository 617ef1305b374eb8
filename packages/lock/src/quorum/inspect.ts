import type { LockState, Party } from '../driver.ts'
import { tooFew } from './hold.ts'
import type { QuorumNode, Reply } from './node.ts'
import { readName } from './round.ts'
import { majority } from './rules.ts'

type Holder = readonly [id: string, label: string, forMs: number, leftMs: number, token: number]
type Waiter = readonly [id: string, label: string, forMs: number, leftMs: number]

/** The holder that a majority names, and the longest queue: waiters are in that of one node. */
export async function inspect(nodes: readonly QuorumNode[], key: string): Promise<LockState | null> {
  const quorum = majority(nodes.length)
  const replies = await Promise.all(nodes.map((node) => new Promise<Reply>((resolve) => node.send(key, 'i', resolve))))
  const found = replies.flatMap((reply) => ('value' in reply ? [reply.value as [Holder, Waiter[]]] : []))
  if (found.length < quorum) {
    throw tooFew(
      nodes,
      replies.flatMap((reply) => ('error' in reply ? [reply.error] : [])),
    )
  }
  const owners = new Map<string, Holder[]>()
  for (const [holder] of found) if (holder.length > 0) owners.set(holder[0], [...(owners.get(holder[0]) ?? []), holder])
  const holders = [...owners.values()].filter((votes) => votes.length >= quorum).map(holderOf)
  const queue = found
    .map(([, waiters]) => waiters)
    .reduce((longest, waiters) => (waiters.length > longest.length ? waiters : longest))
    .map(partyOf)
  return holders.length + queue.length > 0 ? { holders, queue } : null
}

function holderOf(votes: readonly Holder[]): Party {
  const token = Math.max(...votes.map((vote) => Number(vote[4])))
  return { ...partyOf(votes[0]!), token: BigInt(token) }
}

function partyOf([id, label, forMs, leftMs]: Waiter | Holder): Party {
  return { id: readName(id).id, label: label === '' ? undefined : label, forMs: Number(forMs), leftMs: Number(leftMs) }
}
