// node:sqlite of Node 22 reads a text only up to its first NUL, so that none may be in the file.
const mark = '\u0001'

/** A text as it is stored; nearly always the same. */
export function toColumn(text: string): string {
  if (!text.includes('\0') && !text.includes(mark)) return text
  return text.replaceAll(mark, `${mark}a`).replaceAll('\0', `${mark}b`)
}

export function fromColumn(text: string): string {
  return text.includes(mark) ? text.replaceAll(`${mark}b`, '\0').replaceAll(`${mark}a`, mark) : text
}
