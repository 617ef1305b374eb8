import { HeadraceError } from '@headrace/core'
import type { Standing } from '../driver.ts'
import type { QuorumNode } from './node.ts'
import type { Quarantine } from './quarantine.ts'
import { askAll, hasPassedOn, nameOf, type Poll, type Round, type Terms } from './round.ts'
import { majority } from './rules.ts'

/** A grant that is held: its terms, and the last of its tokens. */
export interface Hold extends Terms {
  readonly last: number
  readonly ended: boolean
}

type Named = Pick<Terms, 'key' | 'id' | 'name'>

// What a node can answer to a renewal beside yes and no.
const isFree = 2
const isAway = 3

/** Restarts the ttl at a majority. Nodes that lack the hold take it then, so that it survives the loss of another one. */
export async function renewHold<Held extends Hold>(
  the: {
    readonly nodes: readonly QuorumNode[]
    readonly quarantine: Quarantine
    readonly renounce: (hold: Held) => void
  },
  hold: Held,
): Promise<Standing> {
  const { nodes, quarantine, renounce } = the
  const { key, ttlMs, last, tokens, label } = hold
  const name = nameOf(hold)
  const early: [at: number, code: number][] = []
  let renewed = false
  const heal = (at: number, code: number) => {
    if (code === isAway) void quarantine.admit(new Map([[at, { leftMs: 0, empty: false }]]))
    if (code === isFree && !hold.ended) nodes[at]!.send(key, `j ${name} ${last} ${tokens} ${Math.ceil(ttlMs)} ${label}`)
  }
  const heard = (at: number, code: number) => {
    if (renewed) heal(at, code)
    else early.push([at, code])
  }
  const { state, failures } = await askAll(nodes, key, `k ${name} ${Math.ceil(ttlMs)}`, { heard })
  if (state === 'open') return { state: 'failed', error: tooFew(nodes, failures) }
  if (state === 'lost') {
    renounce(hold)
    return { state: 'gone' }
  }
  renewed = true
  for (const [at, code] of early) heal(at, code)
  return { state: 'held', token: BigInt(last - tokens + 1), tokens }
}

/**
 * True where a majority knew it until now, even if its ttl had ended there.
 * @param unheard it has asked for the key at the node with the queue only: whoever is called next comes after the same one.
 */
export async function giveBack(nodes: readonly QuorumNode[], terms: Named, unheard = false): Promise<boolean> {
  return confirmed(nodes, await askAll(nodes, terms.key, `f ${nameOf(terms)}${unheard ? ' ^' : ''}`))
}

/**
 * Gives back a key that we hold, for which others wait at node `at`. Whoever is called there takes over by our name the
 * nodes that we have, so those need not hear of it at once. One whose vote has not arrived must: that vote may come to it
 * after the one of whoever is called. While our ttl runs nobody else can have a majority, so the word of the node with the
 * queue is enough. `alone` is called where nobody was waiting.
 */
export function passOn(
  nodes: readonly QuorumNode[],
  at: number,
  terms: Named,
  { answers }: Round,
  alone: () => void,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const heard = (from: number, code: number) => {
      if (from !== at) return
      if (code === hasPassedOn) return resolve(true)
      alone()
      for (const node of nodes) node.hurry()
    }
    const isUrgent = (one: number) => one === at || answers[one]?.yes !== true
    askAll(nodes, terms.key, `f ${nameOf(terms)}`, { heard, isUrgent })
      .then((poll) => confirmed(nodes, poll))
      .then(resolve, reject)
  })
}

function confirmed(nodes: readonly QuorumNode[], { state, failures }: Poll): boolean {
  if (state === 'open' && failures.length > nodes.length - majority(nodes.length)) throw tooFew(nodes, failures)
  return state === 'won'
}

/** What to say where no majority has answered. What a node refuses for good, no repetition cures. */
export function tooFew(
  { length }: readonly QuorumNode[],
  failures: readonly unknown[],
  { said = 'have answered', retryAfterMs }: { readonly said?: string; readonly retryAfterMs?: number | undefined } = {},
): HeadraceError {
  const refused = failures.find(
    (failure) => failure instanceof Error && /^(?:-?ERR )?(WRONGTYPE|NOAUTH|NOPERM|WRONGPASS)\b/.test(failure.message),
  )
  const message = `fewer than ${majority(length)} of ${length} redis nodes ${said}`
  if (refused !== undefined) return new HeadraceError('REJECTED', `${message}: a node refuses`, { cause: refused })
  return new HeadraceError('UNAVAILABLE', message, { cause: failures[0], retryAfterMs })
}
