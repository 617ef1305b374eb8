import { fc, test } from '@fast-check/vitest'
import { describe, expect } from 'vitest'
import {
  bossHealth,
  type Command,
  chestItems,
  fightOn,
  firstBoss,
  powerMax,
  type Result,
  type Room,
} from '../src/room.ts'

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    type: fc.constantFrom('hit' as const, 'hit' as const, 'heal' as const, 'block' as const),
    power: fc.integer({ min: 1, max: powerMax }),
  }),
  fc.constant({ type: 'loot' as const }),
)
// Long enough to get through a boss that has little left, its chest and a good part of the next.
const commands = fc.array(command, { maxLength: 60 })
const start = fc
  .record({ health: fc.integer({ min: 1, max: 400 }), shield: fc.integer({ min: 0, max: 100 }) })
  .map((boss): Room => ({ ...firstBoss(), ...boss }))

function played(room: Room, list: readonly Command[]): { rooms: Room[]; results: Result[] } {
  const rooms = [room]
  const results: Result[] = []
  for (const each of list) {
    const before = Object.freeze(rooms.at(-1)!)
    const decision = fightOn(before, Object.freeze(each))
    rooms.push(decision.state ?? before)
    results.push(decision.result)
  }
  return { rooms, results }
}

describe('the rules of a room', () => {
  test.prop([start, commands])('move hit points and never make or lose one', (room, list) => {
    const { rooms, results } = played(room, list)
    let expected = room.health
    for (const [index, result] of results.entries()) {
      if (result.type === 'hit') expected -= result.dealt
      if (result.type === 'healed') expected += result.points
      if (rooms[index + 1]!.wave > rooms[index]!.wave) expected += bossHealth
      expect(rooms[index + 1]!.health).toBe(expected)
    }
  })

  test.prop([start, commands])(
    'hand out every item of a chest once, and open it only for a dead boss',
    (room, list) => {
      const { rooms, results } = played(room, list)
      const items = results.flatMap((result) => (result.type === 'looted' ? [result.item] : []))
      expect(new Set(items).size).toBe(items.length)
      const last = rooms.at(-1)!
      const dead = last.wave - 1 + (last.health === 0 ? 1 : 0)
      expect(items.length + last.chest).toBe(dead * chestItems)
      for (const { health, chest } of rooms) expect(health === 0).toBe(chest > 0)
    },
  )

  test.prop([start, commands])('keep health, shield and chest within their bounds', (room, list) => {
    for (const { health, shield, chest } of played(room, list).rooms) {
      expect(health).toBeGreaterThanOrEqual(0)
      expect(health).toBeLessThanOrEqual(bossHealth)
      expect(shield).toBeGreaterThanOrEqual(0)
      expect(shield).toBeLessThanOrEqual(300)
      expect(chest).toBeLessThanOrEqual(chestItems)
    }
  })

  test.prop([start, commands])('leave the state alone where a command misses', (room, list) => {
    const { rooms, results } = played(room, list)
    results.forEach((result, index) => {
      if (result.type === 'missed') expect(rooms[index + 1]).toBe(rooms[index])
    })
  })

  test('a hit goes through the shield first', () => {
    const room = { ...firstBoss(), shield: 30 }
    expect(fightOn(room, { type: 'hit', power: 50 })).toEqual({
      state: { ...room, shield: 0, health: bossHealth - 20 },
      result: { type: 'hit', dealt: 20, absorbed: 30, health: bossHealth - 20 },
    })
    expect(fightOn(room, { type: 'hit', power: 10 }).state).toEqual({ ...room, shield: 20 })
  })

  test('the last blow deals what is left, and the dead boss leaves a chest and no shield', () => {
    const { state, result } = fightOn({ ...firstBoss(), health: 7 }, { type: 'hit', power: 50 })
    expect(result).toEqual({ type: 'hit', dealt: 7, absorbed: 0, health: 0 })
    expect(state).toEqual({ wave: 1, health: 0, shield: 0, chest: chestItems })
  })

  test('a dead boss cannot be hit, healed or shielded, and one that lives cannot be looted', () => {
    const dead: Room = { wave: 1, health: 0, shield: 0, chest: 2 }
    for (const type of ['hit', 'heal', 'block'] as const) {
      expect(fightOn(dead, { type, power: 1 })).toEqual({ result: { type: 'missed', boss: 'dead' } })
    }
    expect(fightOn(firstBoss(), { type: 'loot' })).toEqual({ result: { type: 'missed', boss: 'alive' } })
  })

  test('who takes the last item brings the next boss', () => {
    const { state, result } = fightOn({ wave: 3, health: 0, shield: 0, chest: 1 }, { type: 'loot' })
    expect(result).toEqual({ type: 'looted', item: 'boss-3/item-5' })
    expect(state).toEqual({ wave: 4, health: bossHealth, shield: 0, chest: 0 })
  })

  test('nobody is healed beyond full health', () => {
    const room = { ...firstBoss(), health: bossHealth - 3 }
    expect(fightOn(room, { type: 'heal', power: 50 }).result).toEqual({ type: 'healed', points: 3, health: bossHealth })
  })

  test.each([0, -5, 1.5, powerMax + 1, Number.NaN, Number.POSITIVE_INFINITY])('nobody has a power of %s', (power) => {
    expect(() => fightOn(firstBoss(), { type: 'hit', power })).toThrow(RangeError)
  })

  test('a command that does not exist is refused', () => {
    expect(() => fightOn(firstBoss(), { type: 'smite', power: 1 } as unknown as Command)).toThrow(TypeError)
  })
})
