import { isDeepStrictEqual } from 'node:util'
import { isHeadraceError } from '@headrace/core'
import type { Operation } from '@headrace/core/testing'
import type { Loaded, Receipt, StoredReceipt } from '@headrace/writer'
import { type Account, opened, type Spent, spend } from './account.ts'

export interface Input {
  readonly id: string
  readonly key: string
  readonly amount: number
}

/** What took effect at the store, in order. */
export interface StoreEffect {
  readonly type: 'sealed' | 'committed'
  readonly partition: number
  readonly token: bigint
}

export interface Evidence {
  readonly operations: readonly Operation<Input, Receipt<Spent>>[]
  /** All that the store has at the end. */
  readonly stored: Loaded
  readonly effects: readonly StoreEffect[]
  /** What the queue got, in order. */
  readonly published: readonly { readonly id: string; readonly key: string; readonly body: number }[]
}

/** Which promises the history breaks, each with what broke it. An empty list is a pass. */
export function violations(evidence: Evidence): string[] {
  const receipts = new Map(evidence.stored.receipts.map((receipt) => [receipt.id, receipt]))
  const keys = new Set(evidence.operations.map((operation) => operation.input.key))
  const inputs = new Map(evidence.operations.map(({ input }) => [input.id, input]))
  const found = [
    ...answersAreStored(evidence, receipts),
    ...fencesHold(evidence),
    ...answersStay(evidence),
    ...nothingHappened(evidence, receipts),
  ]
  for (const key of keys) {
    const chain = [...receipts.values()].filter((receipt) => receipt.key === key)
    chain.sort((a, b) => a.sequence - b.sequence)
    const gap = chain.findIndex((receipt, at) => receipt.sequence !== at + 1)
    if (gap !== -1) found.push(`sequences: ${key} has ${chain[gap]!.sequence} at place ${gap + 1}`)
    found.push(...decisionsFollow(key, chain, inputs, evidence), ...realTimeHolds(key, receipts, evidence))
  }
  return found
}

function* answersAreStored({ operations }: Evidence, receipts: ReadonlyMap<string, StoredReceipt>) {
  const first = new Map<string, Receipt<Spent>>()
  for (const { input, outcome } of operations) {
    if (outcome.type !== 'ok') continue
    const { output } = outcome
    const before = first.get(input.id) ?? output
    first.set(input.id, before)
    const same = before.sequence === output.sequence && isDeepStrictEqual(before.result, output.result)
    if (!same) yield `one answer: ${input.id} was answered with ${before.sequence} and with ${output.sequence}`
    const stored = receipts.get(input.id)
    if (!stored) yield `lost: ${input.id} was answered and is not in the store`
    else if (stored.sequence !== output.sequence || stored.result !== JSON.stringify(output.result)) {
      yield `lost: ${input.id} was answered with ${output.sequence}, the store has ${stored.sequence}`
    }
  }
}

/** Who has been given a receipt is given it again, and never told that the write is refused. */
function* answersStay({ operations }: Evidence) {
  const answered = new Map<string, number>()
  for (const { input, outcome, answeredAt } of operations) {
    if (outcome.type === 'ok') answered.set(input.id, Math.min(answeredAt, answered.get(input.id) ?? answeredAt))
  }
  for (const { input, outcome, invokedAt } of operations) {
    const refused = outcome.type === 'fail' && isHeadraceError(outcome.error, 'REJECTED')
    if (refused && (answered.get(input.id) ?? Number.POSITIVE_INFINITY) < invokedAt) {
      yield `one answer: ${input.id} was answered, and refused when it came again`
    }
  }
}

function* nothingHappened({ operations }: Evidence, receipts: ReadonlyMap<string, StoredReceipt>) {
  const open = new Set(operations.filter(({ outcome }) => outcome.type !== 'fail').map(({ input }) => input.id))
  for (const id of new Set(operations.map(({ input }) => input.id))) {
    if (!open.has(id) && receipts.has(id)) yield `nothing happened: every call of ${id} was told so, and it did`
  }
}

function* fencesHold({ effects }: Evidence) {
  const sealed = new Map<number, bigint>()
  for (const { type, partition, token } of effects) {
    const last = sealed.get(partition) ?? 0n
    if (token < last) yield `fence: ${type} with ${token} after ${last} was sealed in partition ${partition}`
    else sealed.set(partition, token)
  }
}

function* decisionsFollow(
  key: string,
  chain: readonly StoredReceipt[],
  inputs: ReadonlyMap<string, Input>,
  { stored, published }: Evidence,
) {
  let state: Account = opened()
  const events: string[] = []
  for (const { id, sequence, result } of chain) {
    const decision = spend(state, { amount: inputs.get(id)!.amount })
    state = decision.state ?? state
    if (JSON.stringify(decision.result) !== result)
      yield `decisions: ${key} ${sequence} has another result than decide gives`
    decision.events?.forEach((body, index) => {
      events.push(`${id}/${index} ${body}`)
    })
  }
  const row = stored.states.find((each) => each.key === key)
  if (chain.length > 0 && (row?.sequence !== chain.length || row.state !== JSON.stringify(state))) {
    yield `decisions: the state of ${key} is not what its ${chain.length} receipts come to`
  }
  const seen = new Set(published.filter((event) => event.key === key).map(({ id, body }) => `${id} ${body}`))
  if (!isDeepStrictEqual([...seen], events)) {
    yield `events: ${key} published ${[...seen].join(', ')} instead of ${events.join(', ')}`
  }
}

/** What was answered before another write began must come before it. */
function* realTimeHolds(key: string, receipts: ReadonlyMap<string, StoredReceipt>, { operations }: Evidence) {
  const spans = new Map<string, { begun: number; answered: number }>()
  for (const { input, invokedAt, answeredAt, outcome } of operations) {
    if (input.key !== key) continue
    const span = spans.get(input.id) ?? { begun: invokedAt, answered: Number.POSITIVE_INFINITY }
    if (outcome.type === 'ok') span.answered = Math.min(span.answered, answeredAt)
    spans.set(input.id, span)
  }
  for (const [earlier, { answered }] of spans) {
    for (const [later, { begun }] of spans) {
      if (answered >= begun) continue
      const [a, b] = [receipts.get(earlier)?.sequence ?? 0, receipts.get(later)?.sequence ?? Number.POSITIVE_INFINITY]
      if (a > b) yield `order: ${earlier} was answered before ${later} began, and has ${a} after ${b}`
    }
  }
}
