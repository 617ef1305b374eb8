/**
 * Calls with neighbours that are alike, in their order: usually once, with all of them.
 * @param failed the answer to a request whose part failed, so that it does not hide what the other parts got; without it
 * such a failure is that of all.
 */
export function inParts<Request, Answer>(
  requests: readonly Request[],
  alike: (one: Request, other: Request) => boolean,
  call: (part: readonly Request[]) => Promise<readonly Answer[]>,
  failed?: (error: unknown) => Answer,
): Promise<readonly Answer[]> {
  const parts: Promise<readonly Answer[]>[] = []
  for (let from = 0, to = 0; from < requests.length; from = to) {
    while (to < requests.length && alike(requests[from]!, requests[to]!)) to++
    if (to - from === requests.length) return call(requests)
    const part = requests.slice(from, to)
    parts.push(failed ? call(part).catch((error: unknown) => part.map(() => failed(error))) : call(part))
  }
  return Promise.all(parts).then((answers) => answers.flat())
}
