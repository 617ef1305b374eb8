import { twoProduct } from './product.ts'

/** A number as the sum of two, the second below the last digit of the first: about 32 decimal digits. */
export type DoubleDouble = readonly [high: number, low: number]

export function plus([aHigh, aLow]: DoubleDouble, [bHigh, bLow]: DoubleDouble): DoubleDouble {
  const sum = aHigh + bHigh
  const part = sum - aHigh
  return normalized(sum, aHigh - (sum - part) + (bHigh - part) + (aLow + bLow))
}

export function times([aHigh, aLow]: DoubleDouble, [bHigh, bLow]: DoubleDouble): DoubleDouble {
  const [product, error] = twoProduct(aHigh, bHigh)
  return normalized(product, error + (aHigh * bLow + aLow * bHigh))
}

export function over(a: DoubleDouble, b: number): DoubleDouble {
  const quotient = a[0] / b
  const [product, error] = twoProduct(quotient, b)
  return normalized(quotient, (a[0] - product - error + a[1]) / b)
}

function normalized(high: number, low: number): DoubleDouble {
  const sum = high + low
  return [sum, low - (sum - high)]
}
