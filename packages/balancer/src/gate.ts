/** Something that happens once, and that others wait for. */
export interface Gate {
  readonly isOpen: boolean
  readonly opened: Promise<void>
  open(): void
}

export function gate(): Gate {
  let isOpen = false
  let resolve: () => void
  const opened = new Promise<void>((settle) => {
    resolve = settle
  })
  return {
    get isOpen() {
      return isOpen
    },
    opened,
    open() {
      isOpen = true
      resolve()
    },
  }
}
