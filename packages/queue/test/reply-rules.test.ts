import type { Reply, ReplyPort, ReplyReceiver } from '@headrace/queue'
import type { MemoryQueue } from '@headrace/queue/memory'
import { describe, expect, it } from 'vitest'
import { replyRules } from '../src/rules/replies.ts'
import { failures } from './broken-drivers.ts'

type BreaksReplies = (good: ReplyPort) => Partial<ReplyPort>

const mapReceiver =
  (change: (receiver: ReplyReceiver) => Partial<ReplyReceiver>): BreaksReplies =>
  (good) => ({ open: (receiver) => good.open({ ...receiver, ...change(receiver) }) })

/** Holds an answer back until the next. */
function overtakes(good: ReplyPort): Partial<ReplyPort> {
  const held: [address: string, reply: Reply][] = []
  return {
    async send(address, reply) {
      held.push([address, reply])
      if (held.length % 2 === 0) for (const one of held.splice(0).reverse()) await good.send(...one)
    },
  }
}

function toEveryBox(good: ReplyPort): Partial<ReplyPort> {
  const boxes: string[] = []
  return {
    async open(receiver) {
      const box = await good.open(receiver)
      boxes.push(box.address)
      return box
    },
    async send(_address, reply) {
      for (const address of boxes) await good.send(address, reply)
    },
  }
}

/** Knows the boxes of its own connection only. */
function strangersAreLost(good: ReplyPort): Partial<ReplyPort> {
  let sent = 0
  return { send: (address, reply) => (sent++ === 0 ? Promise.resolve() : good.send(address, reply)) }
}

function failsWhereNobodyIs(good: ReplyPort): Partial<ReplyPort> {
  const open = new Set<string>()
  return {
    async open(receiver) {
      const box = await good.open(receiver)
      open.add(box.address)
      return {
        ...box,
        close() {
          open.delete(box.address)
          return box.close()
        },
      }
    },
    async send(address, reply) {
      if (!open.has(address)) throw new Error('no such box')
      await good.send(address, reply)
    },
  }
}

const [reaches, anyConnection, closed, lost] = replyRules.map(({ name }) => name) as [string, string, string, string]
const broken: readonly [string, BreaksReplies, rule: string][] = [
  ['cuts answers', mapReceiver(({ onReply }) => ({ onReply: (it) => onReply({ ...it, payload: '1' }) })), reaches],
  ['sends an answer to every box', toEveryBox, reaches],
  ['lets an answer overtake another', overtakes, reaches],
  ['has one box for all', (good) => ({ open: async (it) => ({ ...(await good.open(it)), address: 'box' }) }), reaches],
  ['loses what comes through another connection', strangersAreLost, anyConnection],
  ['takes a box that is gone for an error', failsWhereNobodyIs, closed],
  [
    'keeps a closed box open',
    (good) => ({ open: async (it) => ({ ...(await good.open(it)), close: async () => {} }) }),
    closed,
  ],
  ['does not tell of a loss', mapReceiver(() => ({ onLost: () => {} })), lost],
  [
    'tells of a loss twice',
    mapReceiver(({ onLost }) => ({
      onLost(cause) {
        onLost(cause)
        onLost(cause)
      },
    })),
    lost,
  ],
]

const withReplies = (good: MemoryQueue, breaks: BreaksReplies): MemoryQueue => ({
  ...good,
  replies: { ...good.replies!, ...breaks(good.replies!) },
})

describe('the conformance suite catches a driver that', () => {
  it.each(broken)('%s', async (_, breaks, rule) => {
    expect(await failures((good) => withReplies(good, breaks), replyRules)).toContain(rule)
  })

  it('and every rule of answers has a driver that it catches', () => {
    expect(replyRules.map(({ name }) => name).filter((name) => !broken.some(([, , rule]) => rule === name))).toEqual([])
  })
})
