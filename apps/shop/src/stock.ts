import type { Decide } from '@headrace/writer'

/** What is known of one article. */
export interface Stock {
  readonly left: number
  readonly sold: number
}

export interface Order {
  readonly order: string
  readonly buyer: string
  readonly quantity: number
}

/** Sold as ordered, or not at all. */
export type Sale = { readonly sold: number; readonly buyer: string } | { readonly refused: 'sold-out' }

/** An order that was accepted: what the rest of the shop works on. */
export type Accepted = Order

/** The rule of the shop, and the only part of it that has to be right about concurrency; it does not know that there is any. */
export const sell: Decide<Stock, Order, Sale, Accepted> = (stock, order) => {
  if (order.quantity > stock.left) return { result: { refused: 'sold-out' } }
  const { left, sold } = stock
  return {
    state: { left: left - order.quantity, sold: sold + order.quantity },
    result: { sold: order.quantity, buyer: order.buyer },
    events: [order],
  }
}
