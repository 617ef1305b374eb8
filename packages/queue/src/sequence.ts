import { checkInteger, checkKey } from '@headrace/core'
import { type Message, reject } from './message.ts'

/** Which message of its key this is, as whoever has counted them says. */
export interface Sequence {
  /** Who counts. Each source counts the messages of a key from 1 without a gap. */
  readonly source: string
  readonly number: number
}

const header = 'headrace-sequence'

/** Headers that number a message for an inbox; for publishers without an outbox that know the number, as a receipt of a writer does. */
export function sequenceHeaders(source: string, number: number): Readonly<Record<string, string>> {
  checkKey('source', source)
  checkInteger('number', number, { min: 1 })
  return { [header]: `${number}/${source}` }
}

/** @throws a rejection, which sends the message to the dead letters, where the header is not one that `sequenceHeaders` makes. */
export function sequenceOf(message: Pick<Message<unknown>, 'id' | 'headers'>): Sequence | undefined {
  const text = message.headers[header]
  if (text === undefined) return undefined
  const [, digits, source] = /^([1-9]\d{0,15})\/(.+)$/s.exec(text) ?? []
  const number = Number(digits)
  if (source === undefined || !Number.isSafeInteger(number)) {
    throw reject(`message "${message.id}" has a ${header} header that cannot be read`)
  }
  return { source, number }
}
