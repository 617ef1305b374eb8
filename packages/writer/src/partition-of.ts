/**
 * The partition of a key: FNV-1a over its UTF-16 units (Fowler, Noll, Vo), reduced without bias towards a number of
 * partitions. It must never change: stores remember fencing tokens by partition.
 */
export function partitionOf(key: string, partitions: number): number {
  if (partitions === 1) return 0
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  // The low bits of FNV are weak for short keys; the finish of MurmurHash3 spreads them.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions
}
