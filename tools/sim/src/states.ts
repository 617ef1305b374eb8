const chunkStates = 1 << 16

/** A set of states, in the order in which they came. */
export interface States {
  readonly size: number
  /** A view, not a copy. */
  read(at: number): Uint8Array
  /** From which other state it was reached. */
  parent(at: number): number
  /** False where it is known already. */
  add(state: Uint8Array, parent: number): boolean
}

/** Takes the bytes of each state and about 16 more. */
export function createStates(bytes: number): States {
  const chunks: Uint8Array[] = []
  let parents = new Int32Array(chunkStates)
  // Open addressing over places; 0 is free, so places count from 1.
  let table = new Uint32Array(chunkStates)
  let size = 0

  const read = (at: number): Uint8Array => {
    const from = (at % chunkStates) * bytes
    return chunks[Math.floor(at / chunkStates)]!.subarray(from, from + bytes)
  }
  /** Where the state is in the table, or could be put. */
  const slotOf = (state: Uint8Array): number => {
    const mask = table.length - 1
    let slot = hash(state, bytes) & mask
    for (;;) {
      const place = table[slot]!
      if (place === 0 || same(read(place - 1), state, bytes)) return slot
      slot = (slot + 1) & mask
    }
  }
  const grow = () => {
    table = new Uint32Array(table.length * 2)
    for (let at = 0; at < size; at++) table[slotOf(read(at))] = at + 1
  }

  return {
    get size() {
      return size
    },
    read,
    parent: (at) => parents[at]!,
    add(state, parent) {
      const slot = slotOf(state)
      if (table[slot] !== 0) return false
      if (size % chunkStates === 0) {
        chunks.push(new Uint8Array(chunkStates * bytes))
        if (size === parents.length) {
          const longer = new Int32Array(size * 2)
          longer.set(parents)
          parents = longer
        }
      }
      parents[size] = parent
      read(size).set(state)
      size++
      table[slot] = size
      if (size * 2 > table.length) grow()
      return true
    },
  }
}

function same(a: Uint8Array, b: Uint8Array, bytes: number): boolean {
  for (let at = 0; at < bytes; at++) if (a[at] !== b[at]) return false
  return true
}

/** FNV-1a, with a last mix because the table uses the low bits. */
function hash(state: Uint8Array, bytes: number): number {
  let value = 0x811c9dc5
  for (let at = 0; at < bytes; at++) value = Math.imul(value ^ state[at]!, 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x21f0aaad)
  return (value ^ (value >>> 15)) >>> 0
}
