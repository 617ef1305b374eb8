import { HeadraceError } from '@headrace/core'
import type { LockState, Party, Standing } from '../driver.ts'
import { tokensAheadMax } from './state.ts'

const held = 1
const queued = 2
const gone = 3

/** Of the tokens that are wanted, those that are asked for. */
export function reserved(tokens = 1): number {
  return Math.min(tokens, tokensAheadMax)
}

/** How each of so many requests stands; where all were granted the same tokens, the reply is only the first of these. */
export function standingsIn(reply: unknown, count: number, tokens = 1): readonly Standing[] {
  if (Array.isArray(reply)) return Array.from({ length: count }, (_, n) => standingIn(reply, 1 + n * 3))
  return new Array<Standing>(count).fill({ state: 'held', token: tokenIn(reply), tokens: reserved(tokens) })
}

/** When the server answered, by its clock. */
export function serverMsIn(reply: unknown): number {
  return Number((reply as unknown[])[0])
}

function standingIn(reply: unknown[], at: number): Standing {
  const value = reply[at + 1]
  switch (Number(reply[at])) {
    case held:
      return { state: 'held', token: tokenIn(value), tokens: Number(reply[at + 2]) }
    case queued:
      return { state: 'queued', leftMs: Number(value) }
    case gone:
      return Number(value) < 0 ? { state: 'gone' } : { state: 'gone', leftMs: Number(value) }
    default: {
      const error = new Error(String(value))
      return { state: 'failed', error: refusal(error) ?? error }
    }
  }
}

/** Which of so many releases ended a lease; where all did, the reply is only that. */
export function releasedIn(reply: unknown, count: number): readonly boolean[] {
  if (!Array.isArray(reply)) return new Array<boolean>(count).fill(true)
  return reply.map((code) => {
    if (Number.isNaN(Number(code))) throw refusal(new Error(String(code)))
    return Number(code) === held
  })
}

/** Who holds and who waits. */
export function lockStateIn(reply: unknown): LockState | null {
  const holders: Party[] = []
  const queue: Party[] = []
  for (const one of reply as [string, string, string, string, ...number[]][]) {
    const [role, id, label, token, forMs, leftMs, weight, capacity] = one
    const party = {
      id,
      label: label === '' ? undefined : label,
      token: role === 'h' ? BigInt(token) : undefined,
      forMs: Number(forMs),
      leftMs: Number(leftMs),
      share: Number(weight) > 0 ? { weight: Number(weight), capacity: Number(capacity) } : undefined,
    }
    if (role === 'h') holders.push(party)
    else queue.push(party)
  }
  return holders.length + queue.length > 0 ? { holders, queue } : null
}

/** What the server refuses for good: no repetition cures a wrong password or a key that is something else. */
export function refusal(error: unknown): HeadraceError | undefined {
  const word =
    error instanceof Error ? /^(?:-?ERR )?(WRONGTYPE|NOAUTH|NOPERM|WRONGPASS)\b/.exec(error.message)?.[1] : undefined
  return word ? new HeadraceError('REJECTED', `redis refuses: ${word}`, { cause: error }) : undefined
}

function tokenIn(reply: unknown): bigint {
  return BigInt(reply as number | string)
}
