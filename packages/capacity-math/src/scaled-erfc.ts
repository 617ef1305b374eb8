/**
 * e^(x²) erfc(x) for x ≥ 0, to 4e-16: the rational approximations of W. J. Cody, "Rational Chebyshev approximations for the
 * error function", 1969.
 */
export function scaledErfc(x: number): number {
  if (x <= 0.46875) {
    const y = x * x
    return Math.exp(y) * (1 - x * ratio(y, small))
  }
  if (x <= 4) return ratio(x, middle)
  const y = 1 / (x * x)
  return (1 / Math.sqrt(Math.PI) - y * ratio(y, large)) / x
}

/** Numerator over denominator, highest power first in both. */
type Rational = readonly [numerator: readonly number[], denominator: readonly number[]]

function ratio(x: number, [numerator, denominator]: Rational): number {
  let above = numerator[0]!
  let below = denominator[0]!
  for (let i = 1; i < numerator.length; i++) {
    above = above * x + numerator[i]!
    below = below * x + denominator[i]!
  }
  return above / below
}

const small: Rational = [
  [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694],
  [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171],
]

const middle: Rational = [
  [
    2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001,
    881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
  ],
  [
    1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
    4362.619090143247, 3439.3676741437216, 1230.3393548037495,
  ],
]

const large: Rational = [
  [
    0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
    0.0006587491615298378,
  ],
  [1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918],
]
