let turn: Promise<void> | undefined

/** Resolves in the next turn of the event loop; all who ask in one turn share it. */
export function nextTurn(): Promise<void> {
  turn ??= new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined
      resolve()
    }),
  )
  return turn
}
