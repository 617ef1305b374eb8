import { manualClock } from '@headrace/core/testing'
import { queueConformance } from '@headrace/queue/conformance'
import { memoryQueue } from '@headrace/queue/memory'
import { describe, it } from 'vitest'
import { memorySubject } from './memory-subject.ts'

describe('the memory driver', () => {
  queueConformance({
    test: it,
    create: () => memorySubject((clock) => memoryQueue({ clock })),
    supports: memoryQueue({ clock: manualClock() }).supports,
  })
})
