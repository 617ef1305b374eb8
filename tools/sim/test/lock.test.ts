import { describe, expect, it } from 'vitest'
import { lockModel } from '../src/lock/model.ts'
import { type Careless, carelessness, type Scene } from '../src/lock/scene.ts'
import { search } from '../src/search.ts'

const run = (scene: Partial<Scene>) =>
  search(lockModel({ nodes: 3, attempts: 2, clocks: 'bounded', deliveriesMax: 1, ...scene }))

const limitMs = 60_000

describe('the rules of the lock on a quorum, in every order of steps, with every message lost, late or out of order', () => {
  const scenes: Record<string, Partial<Scene>> = {
    'tokens are unique and grow, whatever clocks do': { clocks: 'any' },
    'so do blocks of tokens, whatever clients propose': { clocks: 'any', tokens: 2, proposals: [0, 3] },
    'two never hold at the same time, also when votes arrive twice': { deliveriesMax: 2 },
    'nor when holders renew and take the nodes that they lack': { renewals: true },
    'nor when a key is taken over before all nodes have heard of its release': { handsOver: true, renewals: true },
    'nor when a node restarts empty': { restarts: 1 },
    'an even number of nodes is as safe': { nodes: 4, clocks: 'any' },
    'one node is a lock too': { nodes: 1, renewals: true, handsOver: true, deliveriesMax: 2 },
  }
  it.each(Object.entries(scenes))(
    '%s',
    (_, scene) => {
      const { complete, violation, states } = run(scene)
      expect(violation).toBeUndefined()
      expect(complete).toBe(true)
      expect(states).toBeGreaterThan(100)
    },
    limitMs,
  )
})

describe('each rule is needed', () => {
  const token = 'two grants share a token'
  const together = 'two hold the key at the same time'
  const harm: Record<Careless, [Partial<Scene>, string]> = {
    'one round': [{ clocks: 'any' }, token],
    'raise without owner check': [{ clocks: 'any' }, token],
    'raise that keeps a higher counter': [{ clocks: 'any' }, token],
    'release without owner check': [{ attempts: 3 }, together],
    'votes right after an empty restart': [{ restarts: 1 }, together],
    'copies at once after an empty restart': [{ restarts: 1 }, together],
    'waits after an empty restart, copies nothing': [{ restarts: 1 }, token],
    'trust from the answer': [{}, together],
    'hand-over from an owner whose ttl ended at one node': [{ renewals: true, handsOver: true }, together],
    'renewal by one node': [{ renewals: true }, together],
    'asks again under the name that it has given back': [{ deliveriesMax: 2 }, together],
    'a minority is enough': [{}, together],
  }
  it.each(carelessness)(
    '%s: breaks it, and the search shows how',
    (careless) => {
      const [scene, what] = harm[careless]
      const { violation } = run({ ...scene, careless })
      expect(violation?.what).toBe(what)
      expect(violation?.trace.filter((line) => line.includes('HOLDS'))).toHaveLength(2)
      console.log([`${careless}: ${violation?.what}`, ...violation!.trace].join('\n  '))
    },
    limitMs,
  )
})
