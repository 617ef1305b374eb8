/** Erlang C as it is usually programmed: the recursion of Erlang B over the servers. */
export function recursionC(servers: number, load: number): number {
  let blocking = 1
  for (let c = 1; c <= servers; c++) blocking = (load * blocking) / (c + load * blocking)
  return (servers * blocking) / (servers - load * (1 - blocking))
}

/** The fewest servers as it is usually programmed: one more until it is enough, with the recursion carried along. */
export function scanForWait(load: number, pWait: number): number {
  let blocking = 1
  for (let c = 1; ; c++) {
    blocking = (load * blocking) / (c + load * blocking)
    if (c > load && (c * blocking) / (c - load * (1 - blocking)) <= pWait) return c
  }
}
