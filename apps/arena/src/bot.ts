import { type Clock, isHeadraceError, type Random, randomBelow } from '@headrace/core'
import type { Receipt } from '@headrace/writer'
import { type Command, powerMax, type Result } from './room.ts'

/** A command of a bot, and what it was told. */
export interface Sent {
  readonly id: string
  readonly bot: string
  readonly room: string
  readonly command: Command
  /** Missing where the bot gave up or the fight ended before the answer: then it may have happened or not. */
  receipt?: Receipt<Result>
  /** From the first time it was sent until the answer. */
  answeredMs?: number
}

/**
 * Plays one bot until `ended` aborts. It sends one command at a time. Most are patient, and ask for it under the same id
 * until they have an answer: whatever broke on the way, the command counts once. Some give up when they hear nothing and
 * send the next, as players do. The same `random` gives the same bot, as long as it is answered the same.
 */
export async function play(
  name: string,
  room: string,
  options: {
    /** `again`: whether it may be asked for at another server where one is silent. */
    readonly ask: (sent: Sent, again: boolean) => Promise<Receipt<Result>>
    readonly sent: (sent: Sent) => void
    readonly random: Random
    readonly thinkMs: number
    readonly clock: Clock
    readonly ended: AbortSignal
  },
): Promise<void> {
  const { ask, random, thinkMs, clock, ended } = options
  const isRaider = random.next() < 0.75
  const isPatient = random.next() < 0.9
  let last: Result | undefined
  try {
    for (let count = 1; ; count++) {
      await clock.sleep(2 * thinkMs * random.next(), ended)
      const command = isRaider ? raid(last, random) : ward(random)
      const sent: Sent = { id: `${name}/${count}`, bot: name, room, command }
      options.sent(sent)
      const sentMs = clock.nowMs()
      const receipt = await answerTo(sent)
      if (!receipt) continue
      sent.receipt = receipt
      sent.answeredMs = clock.nowMs() - sentMs
      last = receipt.result
    }
  } catch (error) {
    if (!ended.aborted) throw error
  }

  async function answerTo(sent: Sent): Promise<Receipt<Result> | undefined> {
    for (;;) {
      try {
        return await ask(sent, isPatient)
      } catch (error) {
        // Refused for what it is, or broken in a way that no repetition cures.
        if (ended.aborted || !isHeadraceError(error) || error.code === 'REJECTED') throw error
        if (error.code === 'TIMEOUT' && !isPatient) return undefined
        await clock.sleep(error.retryAfterMs ?? thinkMs, ended)
      }
    }
  }
}

/** Raiders hit the boss, loot it when it is dead, and now and then try to loot one that lives. */
function raid(last: Result | undefined, random: Random): Command {
  const isDead = (last?.type === 'hit' && last.health === 0) || (last?.type === 'missed' && last.boss === 'dead')
  if (isDead || last?.type === 'looted' || random.next() < 0.02) return { type: 'loot' }
  return { type: 'hit', power: powerOf(random) }
}

/** Wards stand on the side of the boss. */
function ward(random: Random): Command {
  return { type: random.next() < 0.5 ? 'heal' : 'block', power: powerOf(random) }
}

function powerOf(random: Random): number {
  return 1 + randomBelow(random, powerMax)
}
