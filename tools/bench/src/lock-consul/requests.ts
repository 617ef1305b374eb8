import { subscribe, unsubscribe } from 'node:diagnostics_channel'

/** Counts the requests that this process sends over HTTP, whoever sends them. */
export function countRequests(): { readonly count: number; stop(): void } {
  let count = 0
  const seen = () => {
    count++
  }
  subscribe('http.client.request.start', seen)
  return {
    get count() {
      return count
    },
    stop: () => unsubscribe('http.client.request.start', seen),
  }
}
