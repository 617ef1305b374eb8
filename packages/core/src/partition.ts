import { Buffer } from 'node:buffer'

/**
 * The partition of a key: FNV-1a over its UTF-8 bytes, finished as MurmurHash3 does so that the low bits are mixed too.
 * Part of the stored format: every process, of every version, must put a key into the same partition.
 */
export function partitionOf(key: string, partitions: number): number {
  if (partitions === 1) return 0
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at)
    if (unit > 127) return partitionOfBytes(Buffer.from(key), partitions)
    hash = Math.imul(hash ^ unit, 0x01000193)
  }
  return finish(hash) % partitions
}

function partitionOfBytes(bytes: Uint8Array, partitions: number): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return finish(hash) % partitions
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
