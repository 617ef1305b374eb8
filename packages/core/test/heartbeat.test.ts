import { systemClock } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { expect, it } from 'vitest'

async function heartbeat(send: () => void, signal: AbortSignal, clock = systemClock) {
  for (;;) {
    send()
    await clock.sleep(30_000, signal)
  }
}

it('sends at once and then twice a minute, until it is stopped', async () => {
  const clock = manualClock()
  const stop = new AbortController()
  let sent = 0
  const beating = heartbeat(() => sent++, stop.signal, clock)
  await clock.advance(60_000)
  expect(sent).toBe(3)
  stop.abort()
  await expect(beating).rejects.toMatchObject({ code: 'ABORTED' })
  expect(clock.pending).toBe(0)
})
