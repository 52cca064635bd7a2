/** The sums of positions. Pure. */

import type { Valued } from "./valuation.ts";

/**
 * Sums in the account's currency, rounded to cents; null if no position has the figure. Ratios are
 * fractions; null if the positions cost nothing.
 */
export interface Totals {
  market_value: number | null;
  unrealized_pl: number | null;
  unrealized_plpc: number | null;
  unrealized_intraday_pl: number | null;
  unrealized_intraday_plpc: number | null;
  /** The sums exclude the positions in `unpriced`. */
  partial: boolean;
  unpriced: string[];
}

/** Add up positions in whole cents. The proceeds of a short position count as its cost. */
export function totals(positions: readonly Valued[]): Totals {
  const sum = (money: (each: Valued) => number | null) => {
    const known = positions.map(money).filter((each) => each !== null);
    return known[0] === undefined && positions[0]
      ? null
      : known.reduce((cents, each) => cents + Math.round(each * 100), 0) / 100;
  };
  const ratio = (gain: number | null, from: (each: Valued) => number | null) => {
    const paid = sum((each) => Math.abs(from(each) ?? 0));
    return paid ? (gain ?? 0) / paid : null;
  };
  const unpriced = positions.filter((each) => each.unrealized_intraday_pl === null);
  const cost = (each: Valued) => (each.market_value === null ? null : each.cost_basis);
  const gain = sum((each) => each.unrealized_pl);
  const dayGain = sum((each) => each.unrealized_intraday_pl);
  return {
    market_value: sum((each) => each.market_value),
    unrealized_pl: gain,
    unrealized_plpc: ratio(gain, cost),
    unrealized_intraday_pl: dayGain,
    unrealized_intraday_plpc: ratio(dayGain, (each) =>
      each.unrealized_intraday_pl === null
        ? null
        : (each.market_value ?? 0) - each.unrealized_intraday_pl,
    ),
    partial: !!unpriced[0],
    unpriced: [...new Set(unpriced.map(({ symbol }) => symbol))],
  };
}
