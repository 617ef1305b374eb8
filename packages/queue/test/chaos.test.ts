import { describe, expect, it } from 'vitest'
import { chaos } from './chaos.ts'
import { violations } from './history.ts'

describe('in a backend that does everything it is allowed to', () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    'nothing is lost, no key is out of order, and each effect is had once behind an inbox (seed %i)',
    async (seed) => {
      const { history, overBounds, pending } = await chaos({ seed })
      expect(violations(history)).toEqual([])
      expect(overBounds).toEqual([])
      expect(pending).toBe(0)
      const named = (type: string) =>
        history.flatMap((event) => ('key' in event && event.type === type ? `${event.key}/${event.sequence}` : []))
      expect(named('dead').length).toBeGreaterThan(0)
      expect(new Set([...named('effect'), ...named('dead')]).size).toBe(12 * 25)
    },
  )
})
