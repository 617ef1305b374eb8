import assert from 'node:assert/strict'
import { type ConformanceOptions, type Rule, runConformance } from '@headrace/core/testing'
import type { Discovery, Snapshot } from '../discovery/discovery.ts'
import { checkedEndpoints } from '../endpoint.ts'

/** A discovery whose source the suite can change. A source that cannot change says so in `supports`. */
export interface DiscoverySubject {
  readonly discovery: Discovery
  /** Makes the source hold endpoints at exactly these addresses, `host:port` with a number for the port. */
  set(addresses: readonly string[]): Promise<void>
  /** Takes the source away and brings it back, with what it held. */
  down(): Promise<void>
  up(): Promise<void>
}

export interface DiscoverySupports {
  /** The source can change while it is watched. */
  readonly changes: boolean
  /** The source can be down. */
  readonly outages: boolean
}

const one = ['127.0.0.1:7001']
const two = ['127.0.0.1:7001', '127.0.0.1:7002']

/**
 * What every discovery keeps to.
 * @param waitMs how long a change may take; 15 s by default, for servers that have to find a leader first.
 */
export function discoveryRules(waitMs = 15_000): readonly Rule<DiscoverySubject, DiscoverySupports>[] {
  return [
    {
      name: 'yields what is there at once',
      check: async (subject) => {
        await subject.set(two)
        await using watch = watching(subject.discovery, waitMs)
        assert.deepEqual(await watch.until(sameAs(two)), two)
      },
    },
    {
      name: 'gives every endpoint an id of its own, and the same one each time',
      check: async (subject) => {
        await subject.set(two)
        const lists: string[][] = []
        for (let time = 0; time < 2; time++) {
          await using watch = watching(subject.discovery, waitMs)
          await watch.until(sameAs(two))
          lists.push(checkedEndpoints(watch.latest!.endpoints).map(({ id }) => id))
        }
        assert.deepEqual([...lists[0]!].sort(), [...lists[1]!].sort())
      },
    },
    {
      name: 'yields again after a change',
      needs: ({ changes }) => changes,
      check: async (subject) => {
        await subject.set(one)
        await using watch = watching(subject.discovery, waitMs)
        await watch.until(sameAs(one))
        await subject.set(two)
        await watch.until(sameAs(two))
        await subject.set(one)
        await watch.until(sameAs(one))
      },
    },
    {
      name: 'ends soon when its signal aborts, also while nothing happens',
      check: async (subject) => {
        await subject.set(one)
        const watch = watching(subject.discovery, waitMs)
        await watch.until(sameAs(one))
        assert.ok(await watch.ends(), 'it goes on a second later')
      },
    },
    {
      name: 'yields nothing for a signal that has aborted already',
      check: async ({ discovery }) => {
        const snapshots: Snapshot[] = []
        try {
          for await (const snapshot of discovery.watch(AbortSignal.abort())) snapshots.push(snapshot)
        } catch {
          // To end with an error is as good.
        }
        assert.deepEqual(snapshots, [])
      },
    },
    {
      name: 'never takes an outage for an empty list, and comes back by itself or by an error',
      needs: ({ outages }) => outages,
      check: async (subject) => {
        await subject.set(two)
        await using watch = watching(subject.discovery, waitMs)
        await watch.until(sameAs(two))
        await subject.down()
        await watch.until((snapshot) => snapshot?.state === 'stale' || watch.failures > 0)
        await subject.up()
        await watch.until((snapshot) => snapshot?.state === 'fresh' && sameAs(two)(snapshot))
        assert.deepEqual(
          watch.all.filter(({ endpoints, state }) => endpoints.length === 0 && state !== 'stale'),
          [],
        )
      },
    },
  ]
}

/** Registers one test for each rule with the runner of your choice. */
export function discoveryConformance(options: ConformanceOptions<DiscoverySubject, DiscoverySupports>): void {
  runConformance(discoveryRules(), options)
}

interface Watching extends AsyncDisposable {
  /** Aborts the signal. @returns whether the watch has ended within a second. */
  ends(): Promise<boolean>
  readonly all: readonly Snapshot[]
  readonly latest: Snapshot | undefined
  readonly failures: number
  /** @returns the addresses of the snapshot that fits. @throws after 15 s. */
  until(fits: (snapshot: Snapshot | undefined) => boolean): Promise<string[]>
}

/** Watches as a balancer does: after an error, again. */
function watching(discovery: Discovery, waitMs: number): Watching {
  const stop = new AbortController()
  const all: Snapshot[] = []
  let failures = 0
  let wake = () => {}
  const running = (async () => {
    while (!stop.signal.aborted) {
      try {
        for await (const snapshot of discovery.watch(stop.signal)) {
          all.push(snapshot)
          wake()
        }
        return
      } catch {
        failures++
        wake()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  })()
  async function ends(): Promise<boolean> {
    stop.abort()
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, 1_000, false)
    })
    const hasEnded = await Promise.race([running.then(() => true), late])
    clearTimeout(timer)
    return hasEnded
  }

  return {
    all,
    get latest() {
      return all.at(-1)
    },
    get failures() {
      return failures
    },
    async until(fits) {
      const endMs = performance.now() + waitMs
      while (!fits(all.at(-1))) {
        assert.ok(performance.now() < endMs, `the last snapshot was ${JSON.stringify(all.at(-1))}`)
        await new Promise<void>((resolve) => {
          wake = resolve
          setTimeout(resolve, 50)
        })
      }
      return addressesOf(all.at(-1))
    },
    ends,
    async [Symbol.asyncDispose]() {
      await ends()
    },
  }
}

function sameAs(addresses: readonly string[]): (snapshot: Snapshot | undefined) => boolean {
  return (snapshot) => JSON.stringify(addressesOf(snapshot)) === JSON.stringify(addresses)
}

function addressesOf(snapshot: Snapshot | undefined): string[] {
  return (snapshot?.endpoints ?? []).map(({ address }) => address).sort()
}
