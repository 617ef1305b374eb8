import { brokenRules } from '@headrace/core/testing'
import type { Ledger, Store } from '@headrace/writer'
import { storeConformance, storeRules } from '@headrace/writer/conformance'
import { memoryStore } from '@headrace/writer/memory'
import { sqliteStore } from '@headrace/writer/sqlite'
import { describe, expect, it } from 'vitest'
import { brokenCommits } from './broken-commits.ts'
import { brokenContents } from './broken-contents.ts'
import { brokenOpenings } from './broken-openings.ts'
import { tempFile } from './temp-file.ts'

describe('memory', () => {
  storeConformance({ test: it, create: () => ({ subject: { store: memoryStore() } }), supports: { durable: false } })
})

describe('sqlite', () => {
  storeConformance({
    test: it,
    supports: { durable: true },
    create() {
      const file = tempFile()
      return { subject: { store: sqliteStore(file.path), reopen: () => sqliteStore(file.path) }, close: file.remove }
    },
  })
})

/** A memory store of which the ledgers are changed; each rule gets a fresh one. */
const broken = (change: (good: Ledger, store: Store) => Partial<Ledger>) => () => {
  const store = memoryStore()
  const worse: Store = {
    async open(name, partitions) {
      const good = await store.open(name, partitions)
      return { ...good, ...change(good, store) }
    },
  }
  return { subject: { store: worse, reopen: () => worse } }
}

const mistakes = [...brokenCommits, ...brokenContents]

describe('the suite catches a store that', () => {
  it.each(mistakes)('%s', async (_, change, rule) => {
    expect(await brokenRules(storeRules, { create: broken(change), supports: { durable: false } })).toContain(rule)
  })

  it.each(brokenOpenings)('%s', async (_, create, rule) => {
    const options = { create: () => ({ subject: { store: create() } }), supports: { durable: false } }
    expect(await brokenRules(storeRules, options)).toContain(rule)
  })

  it('is empty after it was closed, though it says that it is durable', async () => {
    const create = () => ({ subject: { store: memoryStore(), reopen: () => memoryStore() } })
    expect(await brokenRules(storeRules, { create, supports: { durable: true } })).toEqual([
      'keeps fences, states, receipts and events over a close',
      'remembers the number of partitions over a close',
      'never uses a position again, also when it was closed with an empty outbox',
    ])
  })
})

it('every rule catches something', () => {
  const rules = new Set([...mistakes, ...brokenOpenings].map(([, , rule]) => rule))
  const durable = storeRules.filter((rule) => rule.needs).map((rule) => rule.name)
  const caught = [...rules, ...durable]
  expect(storeRules.map((rule) => rule.name).filter((name) => !caught.includes(name))).toEqual([])
})
