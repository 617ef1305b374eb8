/**
 * Checks that a value survives a round trip through JSON, and freezes it: what a decision returned is what will be read
 * back, and a later decision cannot change it in place. What was checked once is not looked at again, so that a state
 * that shares most of its parts with the one before costs only what is new.
 */
export type JsonGuard = (value: unknown, where: string) => void

/** @returns a guard that throws a TypeError naming the place of a Date, Map, class instance, function, bigint, NaN or cycle. */
export function jsonGuard(): JsonGuard {
  // How many levels each holds: a state that wraps the one before in every write must not grow past what can be read.
  const heights = new WeakMap<object, number>()
  function check(value: unknown, where: string, depth: number): number {
    if (typeof value === 'string') return 0
    const kind = foreign(value)
    if (kind !== undefined) throw new TypeError(`${where} is ${kind}, which JSON cannot hold`)
    if (typeof value !== 'object' || value === null) return 0
    let height = heights.get(value)
    if (depth + (height ?? 0) > depthMax) {
      throw new TypeError(`${where} is nested more than ${depthMax} deep, or contains itself`)
    }
    if (height !== undefined) return height
    height = 0
    let members = 0
    // Where a member stands is spelt out only where it has to be looked into.
    if (Array.isArray(value)) {
      for (members = 0; members < value.length; members++) {
        const member: unknown = value[members]
        height = Math.max(height, isScalar(member) ? 1 : 1 + check(member, `${where}[${members}]`, depth + 1))
      }
    } else {
      for (const name in value) {
        members++
        const member = (value as Record<string, unknown>)[name]
        if (member === undefined) continue
        height = Math.max(height, isScalar(member) ? 1 : 1 + check(member, `${where}.${name}`, depth + 1))
      }
    }
    Object.freeze(value)
    // A small flat value is looked at again more quickly than it is remembered.
    if (height > 1 || members > 8) heights.set(value, height)
    return height
  }
  return (value, where) => void check(value, where, 0)
}

const depthMax = 64

function isScalar(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)
}

/** The kind of a value that JSON cannot hold; undefined where it can, its members left aside. */
function foreign(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : String(value)
  if (typeof value === 'string' || typeof value === 'boolean') return undefined
  if (typeof value !== 'object') return value === undefined ? 'undefined' : `a ${typeof value}`
  if (value === null || Array.isArray(value)) return undefined
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    return `a ${prototype.constructor?.name || 'class instance'}`
  return typeof (value as { toJSON?: unknown }).toJSON === 'function' ? 'an object with toJSON' : undefined
}

/**
 * The JSON text of a command, the same for two that are equal as JSON, whatever the order of their members.
 * @throws TypeError for what JSON cannot hold: two different commands would have one text.
 */
export function commandText(command: unknown): string {
  // Most programs build a command in one place, so that its members are in one order; sorted or not, it is checked quickly.
  return JSON.stringify(isSorted(command, 0) ? command : sorted(command, 0))
}

function isSorted(value: unknown, depth: number): boolean {
  checkPart(value, depth)
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every((member) => isSorted(member, depth + 1))
  let last = ''
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name]
    if (name < last || (member !== undefined && !isSorted(member, depth + 1))) return false
    last = name
  }
  return true
}

function sorted(value: unknown, depth: number): unknown {
  checkPart(value, depth)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((member) => sorted(member, depth + 1))
  const members: [string, unknown][] = []
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name]
    if (member !== undefined) members.push([name, sorted(member, depth + 1)])
  }
  return Object.fromEntries(members)
}

function checkPart(value: unknown, depth: number): void {
  const kind = foreign(value)
  if (kind !== undefined) throw new TypeError(`command is or holds ${kind}, which JSON cannot hold`)
  if (depth > depthMax) throw new TypeError(`command is nested more than ${depthMax} deep, or contains itself`)
}

/**
 * A digest of 64 bits that tells apart two commands that came with one id by mistake. It is quick and does not withstand
 * somebody who looks for a collision: that only gets them the receipt of their own earlier command.
 */
export function fingerprintOf(key: string, text: string): string {
  const seed = mixed(0x9e3779b9, 0x85ebca6b, key)
  const [a, b] = mixed(seed[0], seed[1], text)
  // In decimal: any other base takes longer to write than all the rest.
  return `${a} ${b}`
}

// Two lanes of MurmurHash3 (A. Appleby) over UTF-16 units, mixed into each other at the end.
function mixed(seedA: number, seedB: number, text: string): [number, number] {
  let a = seedA ^ text.length
  let b = seedB ^ text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    a = Math.imul(a ^ unit, 0xcc9e2d51)
    a = (a << 13) | (a >>> 19)
    b = Math.imul(b ^ unit, 0x1b873593)
    b = (b << 15) | (b >>> 17)
  }
  a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b)
  b = Math.imul(b ^ (b >>> 13) ^ a, 0xc2b2ae35)
  return [a ^ (b >>> 16), b ^ (a >>> 15)]
}
