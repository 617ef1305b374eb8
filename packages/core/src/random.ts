import { getRandomValues } from 'node:crypto'
import { checkInteger } from './checks.ts'

/** A source of random numbers. Give a seeded one to make a run repeatable. */
export interface Random {
  /** Uniform in [0, 1), with 32 bits of resolution or more. */
  next(): number
}

const pool = new Uint32Array(1024)
let used = pool.length

/** Random numbers of the operating system; 4 KB are drawn at a time. */
export const cryptoRandom: Random = {
  next() {
    if (used === pool.length) {
      getRandomValues(pool)
      used = 0
    }
    return pool[used++]! / 2 ** 32
  },
}

/**
 * The same numbers for the same seed, on every machine. Not for secrets.
 * SplitMix (Steele, Lea and Flood, OOPSLA 2014) with 32 bits of state and the mixing constants of Wellons' hash
 * prospector: one cycle through all 2^32 numbers, in which the seed chooses the place to begin.
 * @param seed any safe integer; its low 32 bits count.
 */
export function seededRandom(seed: number): Random {
  checkInteger('seed', seed)
  let state = seed | 0
  return {
    next() {
      state = (state + 0x9e3779b9) | 0
      let z = state ^ (state >>> 16)
      z = Math.imul(z, 0x21f0aaad)
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
      return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32
    },
  }
}

const digits = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
const idCodes: number[] = Array(32).fill(0)

/** An identifier of 32 hexadecimal digits: `prefix`, if given, and random ones for the rest. */
export function randomId(random: Random = cryptoRandom, prefix = ''): string {
  let at = 0
  for (; at < prefix.length; at++) idCodes[at] = prefix.charCodeAt(at)
  while (at < 32) {
    let word = (random.next() * 2 ** 32) | 0
    for (const end = Math.min(32, at + 8); at < end; at++) {
      idCodes[at] = digits[word >>> 28]!
      word <<= 4
    }
  }
  // Made in one piece: one put together from parts costs several times as much by the time that a map has hashed it.
  return String.fromCharCode(...idCodes)
}

/** A uniform integer in [0, bound), for an integer `bound` from 1 to 2^32. */
export function randomBelow(random: Random, bound: number): number {
  return Math.floor(random.next() * bound)
}
