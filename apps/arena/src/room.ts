import type { Decision } from '@headrace/writer'

/** A room: the boss that everybody in it fights over, and the chest it leaves behind. All numbers are whole. */
export interface Room {
  /** Which boss it is, counted from 1. */
  readonly wave: number
  /** 0 from its death until the chest is empty and the next one comes. */
  readonly health: number
  /** Takes this much of the hits to come. */
  readonly shield: number
  /** Items left in the chest; 0 while the boss lives. */
  readonly chest: number
}

export type Command =
  | { readonly type: 'hit' | 'heal' | 'block'; readonly power: number }
  /** Takes one item out of the chest. */
  | { readonly type: 'loot' }

export type Result =
  | { readonly type: 'hit'; readonly dealt: number; readonly absorbed: number; readonly health: number }
  | { readonly type: 'healed'; readonly points: number; readonly health: number }
  | { readonly type: 'blocked'; readonly shield: number }
  | { readonly type: 'looted'; readonly item: string }
  | { readonly type: 'missed'; readonly boss: 'alive' | 'dead' }

export const bossHealth = 20_000
export const chestItems = 5
export const powerMax = 100
export const shieldMax = 300

export const firstBoss = (): Room => boss(1)

/**
 * The rules, which are all that the writer needs to know of the game. Health is only moved: what was dealt and what is
 * left add up to what came into the room with each boss and with each heal.
 * @throws RangeError for a power that nobody has: a client that cheats.
 */
export function fightOn(room: Room, command: Command): Decision<Room, Result, never> {
  if (command.type === 'loot') return loot(room)
  const { type, power } = command
  if (!Number.isInteger(power) || power < 1 || power > powerMax) {
    throw new RangeError(`power must be a whole number from 1 to ${powerMax}`)
  }
  const { health, shield } = room
  if (health === 0) return { result: { type: 'missed', boss: 'dead' } }
  switch (type) {
    case 'hit': {
      const absorbed = Math.min(shield, power)
      const dealt = Math.min(health, power - absorbed)
      const left = health - dealt
      const after = left > 0 ? { ...room, shield: shield - absorbed } : { ...room, shield: 0, chest: chestItems }
      return { state: { ...after, health: left }, result: { type: 'hit', dealt, absorbed, health: left } }
    }
    case 'heal': {
      const points = Math.min(power, bossHealth - health)
      return {
        state: { ...room, health: health + points },
        result: { type: 'healed', points, health: health + points },
      }
    }
    case 'block': {
      const raised = Math.min(shieldMax, shield + power)
      return { state: { ...room, shield: raised }, result: { type: 'blocked', shield: raised } }
    }
    default:
      throw new TypeError('there is no such command')
  }
}

function loot(room: Room): Decision<Room, Result, never> {
  const { wave, chest } = room
  if (chest === 0) return { result: { type: 'missed', boss: 'alive' } }
  const item = `boss-${wave}/item-${chestItems - chest + 1}`
  return { state: chest > 1 ? { ...room, chest: chest - 1 } : boss(wave + 1), result: { type: 'looted', item } }
}

function boss(wave: number): Room {
  return { wave, health: bossHealth, shield: 0, chest: 0 }
}
