import type { Store, StoredReceipt } from '@headrace/writer'
import type { Sent } from './bot.ts'
import type { Fight } from './fight.ts'
import { bossHealth, chestItems, fightOn, firstBoss, type Result, type Room } from './room.ts'
import { writerName } from './server.ts'

/** What must hold after a fight, whatever broke in it. */
export interface Invariants {
  /** Every answer that a bot got is in the database as it was given. */
  readonly acknowledgedKept: boolean
  /**
   * The commands of a room are numbered without a gap, and the answered ones of a bot in the order in which it sent them.
   * One that it gave up has no place in that: it may happen late, or never.
   */
  readonly inOrder: boolean
  /** The rules, played again over the receipts in order, give each result and the final state. */
  readonly appliedOnce: boolean
  /** In each room: damage dealt + health left = health of its bosses + heals. */
  readonly hitPointsConserved: boolean
  /** No item was handed out twice, and none is missing. */
  readonly lootOnce: boolean
  /** Whenever a shard changed hands, its writes went on under a greater fencing token. */
  readonly fenced: boolean
}

/** Reads everything back through connections that have written nothing, and plays it again. */
export async function audit(
  store: Store,
  { sent, shards, owners }: Pick<Fight, 'sent' | 'shards' | 'owners'>,
): Promise<Invariants> {
  const verdict = {
    ...{ acknowledgedKept: true, inOrder: true, appliedOnce: true, hitPointsConserved: true, lootOnce: true },
    fenced: owners.takeOvers.every(({ tokens: [before, after] }) => after > before),
  }
  const sentTo = new Map<string, Sent[]>()
  for (const order of sent) {
    const before = sentTo.get(order.room)
    if (before) before.push(order)
    else sentTo.set(order.room, [order])
  }
  for (const [shard, rooms] of shards) {
    const ledger = await store.open(writerName(shard), 1)
    try {
      for (const room of rooms) {
        const orders = sentTo.get(room) ?? []
        const ids = orders.map(({ id }) => id)
        const { states, receipts } = await ledger.load([room], ids)
        const state = states[0] ? (JSON.parse(states[0].state) as Room) : firstBoss()
        const inOrder = [...receipts].sort((one, other) => one.sequence - other.sequence)
        // Ids that nobody sent are not among those asked for: they would leave a gap in the numbers.
        const gapless = inOrder.every(({ sequence }, index) => sequence === index + 1)
        verdict.inOrder &&= gapless && inOrder.length === (states[0]?.sequence ?? 0) && botsInOrder(orders, inOrder)
        verdict.acknowledgedKept &&= answersKept(orders, inOrder)
        verdict.appliedOnce &&= replays(orders, inOrder, state)
        const results = inOrder.map(({ result }) => JSON.parse(result) as Result)
        verdict.hitPointsConserved &&= conserved(state, results)
        verdict.lootOnce &&= handedOutOnce(state, results)
      }
    } finally {
      await ledger.close()
    }
  }
  return verdict
}

function answersKept(orders: readonly Sent[], receipts: readonly StoredReceipt[]): boolean {
  const kept = new Map(receipts.map((receipt) => [receipt.id, receipt]))
  return orders.every(({ id, room, receipt }) => {
    const found = kept.get(id)
    if (!receipt) return true
    return found?.key === room && found.sequence === receipt.sequence && found.result === JSON.stringify(receipt.result)
  })
}

/** @param orders as the bots sent them: each bot one after the other. */
function botsInOrder(orders: readonly Sent[], receipts: readonly StoredReceipt[]): boolean {
  const sequences = new Map(receipts.map(({ id, sequence }) => [id, sequence]))
  const last = new Map<string, number>()
  return orders.every(({ id, bot, receipt }) => {
    const sequence = sequences.get(id)
    if (!receipt || sequence === undefined) return true
    const isLater = sequence > (last.get(bot) ?? 0)
    last.set(bot, sequence)
    return isLater
  })
}

function replays(orders: readonly Sent[], receipts: readonly StoredReceipt[], final: Room): boolean {
  const commands = new Map(orders.map(({ id, command }) => [id, command]))
  let room = firstBoss()
  for (const { id, result } of receipts) {
    const decision = fightOn(room, commands.get(id)!)
    if (JSON.stringify(decision.result) !== result) return false
    room = decision.state ?? room
  }
  return JSON.stringify(room) === JSON.stringify(final)
}

function conserved({ wave, health }: Room, results: readonly Result[]): boolean {
  const dealt = results.reduce((sum, result) => sum + (result.type === 'hit' ? result.dealt : 0), 0)
  const healed = results.reduce((sum, result) => sum + (result.type === 'healed' ? result.points : 0), 0)
  return dealt + health === wave * bossHealth + healed
}

function handedOutOnce({ wave, health, chest }: Room, results: readonly Result[]): boolean {
  const items = results.flatMap((result) => (result.type === 'looted' ? [result.item] : []))
  const dead = health === 0 ? wave : wave - 1
  return new Set(items).size === items.length && items.length + chest === dead * chestItems
}
