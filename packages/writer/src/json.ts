/**
 * Checks that a value survives a round trip through JSON, and freezes it: what a decision returned is what will be read
 * back, and a later decision cannot change it in place. What was checked once is not looked at again, so that a state
 * that shares most of its parts with the one before costs only what is new.
 */
export type JsonGuard = (value: unknown, where: string) => void

/** @returns a guard that throws a TypeError naming the place of a Date, Map, class instance, function, bigint, NaN or cycle. */
export function jsonGuard(): JsonGuard {
  const known = new WeakSet<object>()
  function check(value: unknown, where: string, depth: number): void {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) throw new TypeError(`${where} is ${value}, which JSON cannot hold`)
      return
    }
    if (typeof value !== 'object') throw new TypeError(`${where} is a ${typeof value}, which JSON cannot hold`)
    if (known.has(value)) return
    if (depth > depthMax) throw new TypeError(`${where} is nested more than ${depthMax} deep, or contains itself`)
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) check(value[index], `${where}[${index}]`, depth + 1)
    } else {
      const prototype = Object.getPrototypeOf(value)
      if (prototype !== Object.prototype && prototype !== null) {
        throw new TypeError(`${where} is a ${prototype.constructor?.name ?? 'class instance'}, which JSON cannot hold`)
      }
      if (typeof (value as { toJSON?: unknown }).toJSON === 'function') throw new TypeError(`${where} has a toJSON`)
      for (const name of Object.keys(value)) {
        const member = (value as Record<string, unknown>)[name]
        if (member !== undefined) check(member, `${where}.${name}`, depth + 1)
      }
    }
    known.add(Object.freeze(value))
  }
  return (value, where) => check(value, where, 0)
}

const depthMax = 64

/** The JSON text of a command, the same for two that are equal as JSON, whatever the order of their members. */
export function commandText(command: unknown): string {
  // Most programs build a command in one place, so that its members are in one order; sorted or not, it is checked quickly.
  const text = JSON.stringify(isSorted(command) ? command : sorted(command))
  if (text === undefined) throw new TypeError(`command is a ${typeof command}, which JSON cannot hold`)
  return text
}

function isSorted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(isSorted)
  let last = ''
  for (const name in value) {
    if (name < last || !isSorted((value as Record<string, unknown>)[name])) return false
    last = name
  }
  return true
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const names = Object.keys(value).sort()
  return Object.fromEntries(names.map((name) => [name, sorted((value as Record<string, unknown>)[name])]))
}

/**
 * A digest of 64 bits that tells apart two commands that came with one id by mistake. It is quick and does not withstand
 * somebody who looks for a collision: that only gets them the receipt of their own earlier command.
 */
export function fingerprintOf(key: string, text: string): string {
  const seed = mixed(0x9e3779b9, 0x85ebca6b, key)
  const [a, b] = mixed(seed[0], seed[1], text)
  return (a >>> 0).toString(36) + (b >>> 0).toString(36).padStart(7, '0')
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
