import { hash } from 'node:crypto'

/**
 * Checks that `value` survives a round trip through JSON, and freezes it: what a decision returned is what will be read back.
 * @throws TypeError that names the place, for a Date, Map, class instance, function, bigint, NaN, or a cycle.
 */
export function freezeJson(value: unknown, where: string, depth = 0): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`${where} is ${value}, which JSON cannot hold`)
    return
  }
  if (typeof value !== 'object') throw new TypeError(`${where} is a ${typeof value}, which JSON cannot hold`)
  if (depth > depthMax) throw new TypeError(`${where} is nested more than ${depthMax} deep, or contains itself`)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) freezeJson(value[index], `${where}[${index}]`, depth + 1)
  } else {
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) {
      throw new TypeError(`${where} is a ${prototype.constructor?.name ?? 'class instance'}, which JSON cannot hold`)
    }
    if (typeof (value as { toJSON?: unknown }).toJSON === 'function') throw new TypeError(`${where} has a toJSON`)
    for (const name of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[name]
      if (member !== undefined) freezeJson(member, `${where}.${name}`, depth + 1)
    }
  }
  Object.freeze(value)
}

const depthMax = 64

/** A short digest of a key and a command: the same for two commands that are equal as JSON, whatever the order of their members. */
export function fingerprintOf(key: string, command: unknown): string {
  return hash('sha256', `${key}\n${JSON.stringify(canonical(command))}`, 'base64url').slice(0, 22)
}

function canonical(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonical)
  const sorted: [string, unknown][] = Object.keys(value)
    .sort()
    .map((name) => [name, canonical((value as Record<string, unknown>)[name])])
  return Object.fromEntries(sorted)
}
