import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { toDiagnostics } from '@headrace/core/diagnostics'
import { describe, expect, it } from 'vitest'

type Event = { readonly type: 'opened'; readonly key: string } | { readonly type: 'closed' }

describe('toDiagnostics', () => {
  it('publishes each event, as it is, on the channel of its component and type', () => {
    const observe = toDiagnostics<Event>('door')
    const seen: [unknown, string | symbol][] = []
    const note = (message: unknown, name: string | symbol) => seen.push([message, name])
    subscribe('headrace:door:opened', note)
    const event: Event = { type: 'opened', key: 'k' }
    observe(event)
    observe({ type: 'closed' })
    unsubscribe('headrace:door:opened', note)
    expect(seen).toEqual([[event, 'headrace:door:opened']])
    expect(seen[0]![0]).toBe(event)
  })

  it('serves subscribers that come after the first event, and stops when the last one leaves', () => {
    const observe = toDiagnostics<Event>('gate')
    observe({ type: 'closed' })
    let seen = 0
    const count = () => {
      seen++
    }
    subscribe('headrace:gate:closed', count)
    observe({ type: 'closed' })
    unsubscribe('headrace:gate:closed', count)
    observe({ type: 'closed' })
    expect(seen).toBe(1)
  })

  it('does not publish while nobody listens', () => {
    const silent = channel('headrace:sluice:closed')
    let published = 0
    Object.defineProperty(silent, 'publish', { value: () => published++ })
    const observe = toDiagnostics<Event>('sluice')
    observe({ type: 'closed' })
    expect(published).toBe(0)
  })

  it('keeps two components apart', () => {
    let seen = 0
    const count = () => {
      seen++
    }
    subscribe('headrace:a:closed', count)
    toDiagnostics<Event>('b')({ type: 'closed' })
    expect(seen).toBe(0)
    toDiagnostics<Event>('a')({ type: 'closed' })
    expect(seen).toBe(1)
    unsubscribe('headrace:a:closed', count)
  })
})
